/**
 * Turns the arguments of a task into one string and back. Celery's name: serializer.
 *
 * A codec is chosen by `name` when publishing (`task_serializer`) and by `contentType` when
 * reading (`accept_content`). Both must be unique within a `CodecRegistry`.
 */
export interface Codec {
  /** The MIME type that travels with the message, for example `application/json`. */
  readonly contentType: string;

  /** The short name used in settings, for example `json`. */
  readonly name: string;

  /**
   * Reads a text made by `encode`.
   *
   * @throws DecodeError - The text is malformed. The message never quotes the text.
   */
  decode(text: string): unknown;

  /**
   * Makes the text of a value.
   *
   * @param path - What the value is called in error messages, for example `args`.
   * @throws EncodeError - A value has no meaning outside this process; the error names its path.
   */
  encode(value: unknown, path: string): string;
}
