/** What one report may take in. */
export interface UploadLimits {
  /** Bytes of an upload, and of all Markdown in it when unpacked. */
  readonly totalBytes: number;
  /** Markdown files of a report; also the entries of an archive, of whatever kind. */
  readonly files: number;
  /** Bytes of a single Markdown file. */
  readonly fileBytes: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  totalBytes: 20_000_000,
  files: 2000,
  fileBytes: 1_000_000,
};
