import { z } from 'zod';

/** The id of a task, as `ApplyOptions.taskId` allows it. */
export const idSchema = z
  .string()
  .max(200)
  .regex(/^[^:\p{Cc}]+$/u, "An id has no ':' and no control characters");

/** The body of `POST /tasks/:name`. */
export const callSchema = z
  .strictObject({
    /** Positional arguments. */
    args: z.array(z.unknown()).default([]),
    /** Keyword arguments: one object, which the task gets after the positional ones. */
    kwargs: z.record(z.string(), z.unknown()).default({}),
    /** `countdown`, `eta`, `expires`, `queue`, ...: `ApplyOptions`, as far as JSON can say them. */
    options: z.record(z.string(), z.unknown()).default({}),
  })
  .prefault({});

export type Call = z.infer<typeof callSchema>;

/** The query of `GET /tasks/:id/wait`. */
export const waitSchema = z.strictObject({
  /** Seconds. */
  timeout: z.coerce.number().min(0).max(60).default(5),
});

export type Wait = z.infer<typeof waitSchema>;
