import { z } from 'zod';

/** The fields of `POST /reports` besides files. */
export const reportSchema = z
  .strictObject({
    /** A folder below `REPORTS_ROOT`, relative to it. Default: `REPORTS_ROOT` itself. */
    folder: z.string().max(500).optional(),
  })
  .prefault({});

export type ReportRequest = z.infer<typeof reportSchema>;

/** The number of a file in a report, from 0. */
export const indexSchema = z.coerce.number().int().min(0);
