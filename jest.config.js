/** @type {import('jest').Config} */
const shared = {
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
  moduleNameMapper: {
    '^nestjs-celery$': '<rootDir>/libs/task-queue/src/index.ts',
    '^@app/demo-tasks$': '<rootDir>/libs/demo-tasks/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};

/** For projects whose tests talk to real stores; `test/support/stores.ts` has their addresses. */
const withStores = {
  ...shared,
  globalSetup: '<rootDir>/test/support/stores.setup.mjs',
  globalTeardown: '<rootDir>/test/support/stores.teardown.mjs',
};

/** @type {import('jest').Config} */
export default {
  coverageProvider: 'v8',
  collectCoverageFrom: ['libs/*/src/**/*.ts', '!**/*.spec.ts', '!**/index.ts'],
  workerIdleMemoryLimit: '1GB',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test/docs'],
      testRegex: '\\.spec\\.ts$',
    },
    {
      ...withStores,
      displayName: 'conformance',
      roots: ['<rootDir>/test/conformance', '<rootDir>/test/support'],
      testRegex: '\\.spec\\.ts$',
    },
    {
      ...withStores,
      globalSetup: '<rootDir>/test/support/worker-app.setup.mjs',
      displayName: 'e2e',
      roots: ['<rootDir>/test'],
      testRegex: '/test/e2e/.*\\.e2e-spec\\.ts$',
    },
  ],
};
