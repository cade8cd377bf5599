import { keepRedis, type RedisOptions } from './kept-server.mjs';
import type { KeptServer } from './kept-server.mjs';

/**
 * A private Redis for tests of outages: start, stop, kill and start it again on the same port.
 * Call `close()` at the end; it removes the data.
 */
export class RedisServer {
  private constructor(
    private readonly server: KeptServer,
    readonly port: number,
    /** With the password, and with the scheme `rediss` or `redis+cluster` where that is due. */
    readonly url: string,
    /** What a client has to trust, as PEM text; only with `tls`. */
    readonly certificate: string | undefined,
  ) {}

  /** Makes and starts a server. @throws Error when no redis-server is on the PATH. */
  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const { server, port, url, certificate } = await keepRedis(options);
    try {
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return new RedisServer(server, port, url, certificate);
  }

  /** Starts a stopped or killed server again, with its data when `appendonly` is on. */
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
