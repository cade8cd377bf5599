import { keepPostgres } from './kept-server.mjs';
import type { KeptServer } from './kept-server.mjs';

/**
 * A private PostgreSQL 18 for tests of outages: start, stop, kill and start it again on the same
 * port, with the same data. Call `close()` at the end; it removes the data.
 */
export class PostgresServer {
  private constructor(
    private readonly server: KeptServer,
    readonly port: number,
    readonly url: string,
  ) {}

  /** Makes and starts a server. `flags` go to the command line of `postgres`. */
  static async start(options: { port?: number; flags?: string[] } = {}): Promise<PostgresServer> {
    const { server, port, url } = await keepPostgres(options);
    try {
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return new PostgresServer(server, port, url);
  }

  /** Starts a stopped or killed server again. */
  start(): Promise<void> {
    return this.server.start();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  kill(): Promise<void> {
    return this.server.kill();
  }

  close(): Promise<void> {
    return this.server.close();
  }
}
