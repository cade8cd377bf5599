import { runWorker } from 'nestjs-celery';

import { WorkerModule } from './worker.module.js';

await runWorker(WorkerModule);
