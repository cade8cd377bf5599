import type { NestExpressApplication } from '@nestjs/platform-express';

/** What `main.ts` and the tests do to the application before it starts. */
export function configureApp(app: NestExpressApplication): void {
  // The arguments of a task come as JSON.
  app.useBodyParser('json', { limit: '2mb' });
}
