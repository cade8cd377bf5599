export { celerySettings } from './celery.settings.js';
export { DemoTasksModule } from './demo-tasks.module.js';
export { DebugTasks } from './demoapp/debug.tasks.js';
export { DemoTasks } from './demoapp/demo.tasks.js';
export type { FileReport, MarkdownFacts, ReportTotals } from './reports/file-report.interface.js';
export { MAX_TABLE_CELLS, readMarkdown } from './reports/markdown.reader.js';
export { ReportTasks } from './reports/report.tasks.js';
export { totalsOf } from './reports/report.totals.js';
export { readingMinutes, WORDS_PER_MINUTE } from './reports/word.counter.js';
