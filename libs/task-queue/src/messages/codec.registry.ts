import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import type { Codec } from './codec.interface.js';
import { jsonCodec } from './json.codec.js';

/** The codecs of one application. Starts with `json`. Celery's name: the serializer registry. */
export class CodecRegistry {
  private readonly byContentType = new Map<string, Codec>();
  private readonly byName = new Map<string, Codec>();

  constructor() {
    this.register(jsonCodec);
  }

  /**
   * Adds a codec. Names and content types are compared without regard to case.
   *
   * @throws ImproperlyConfigured - The name or the content type is taken by another codec.
   */
  register(codec: Codec): this {
    const name = codec.name.toLowerCase();
    const contentType = codec.contentType.toLowerCase();
    const taken = this.byName.get(name) ?? this.byContentType.get(contentType);
    if (taken !== undefined && taken !== codec) {
      throw new ImproperlyConfigured(
        `The codec '${codec.name}' (${codec.contentType}) cannot be registered: the codec ` +
          `'${taken.name}' (${taken.contentType}) has that name or content type. Choose another.`,
      );
    }
    this.byName.set(name, codec);
    this.byContentType.set(contentType, codec);
    return this;
  }

  /**
   * Finds a codec by its name (`json`) or its content type (`application/json`).
   *
   * @throws ImproperlyConfigured - There is none; the sentence lists those there are.
   */
  resolve(nameOrContentType: string): Codec {
    const key = nameOrContentType.toLowerCase();
    const codec = this.byName.get(key) ?? this.byContentType.get(key);
    if (codec !== undefined) return codec;
    const known = [...this.byName.values()].map((c) => `'${c.name}' (${c.contentType})`);
    const reason = /pickle|x-python-serialize/.test(key)
      ? ' Reading pickle means running code from the message, so it is not supported.'
      : '';
    throw new ImproperlyConfigured(
      `There is no codec '${nameOrContentType}'.${reason} Use ${known.join(' or ')}, or register ` +
        'a codec of that name.',
    );
  }

  /**
   * The content types of a list such as `accept_content`, for `decodeEnvelope`.
   *
   * @param namesOrContentTypes - For example `['json']`. An empty list accepts nothing.
   * @throws ImproperlyConfigured - One of them is unknown.
   */
  acceptList(namesOrContentTypes: readonly string[]): ReadonlySet<string> {
    return new Set(namesOrContentTypes.map((item) => this.resolve(item).contentType));
  }
}
