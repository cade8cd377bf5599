import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';

import { ApiModule } from './api.module.js';
import { configureApp } from './configure-app.js';

const app = await NestFactory.create<NestExpressApplication>(ApiModule);
configureApp(app);
app.enableShutdownHooks(['SIGTERM', 'SIGINT']);
// Nobody has to log in here, so only this machine is served unless HOST says otherwise.
await app.listen(process.env['PORT'] ?? 3000, process.env['HOST'] ?? '127.0.0.1');
new Logger('Api').log(`API ready on ${await app.getUrl()}`);
