import { z } from 'zod';

/** The JSON that scripts rely on, as the interface (sections 2 and 4) writes it: these fields and types are there; more
 *  may be. */

const id = z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/);
const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
const bytes = z.int().nonnegative();
const outcome = z.enum(['passed', 'failed', 'partial', 'inconclusive']);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const pointFields = {
  id,
  service: z.string(),
  repository: z.string(),
  timestamp: instant,
  outcome: z.enum(['passed', 'partial']),
  totalSize: bytes,
  evidence: z.enum(['stored', 'readable', 'sound', 'restored']),
  evidenceAt: instant,
  held: z.string().nullable(),
  foreign: z.boolean(),
};
export const listShape = z.object({ points: z.array(z.object({ ...pointFields, items: z.array(z.string()) })) });

const item = z.object({ name: z.string(), outcome: z.string(), size: bytes, error: z.string().nullable() });
export const backupShape = z.object({
  run: id,
  outcome,
  durationMs: bytes,
  points: z.array(z.object({ ...pointFields, items: z.array(item) })),
});

export const lsShape = z.object({
  entries: z.array(
    z.object({
      path: z.string(),
      type: z.string(),
      size: bytes,
      mode: z.string().regex(/^0[0-7]{3,4}$/),
      mtime: instant,
    }),
  ),
});

const check = z.object({ name: z.string(), outcome, detail: z.string(), durationMs: bytes });
export const verdictShape = z.object({ outcome, checks: z.array(check).min(1), point: id, service: z.string() });
export const verdictsShape = z.object({ outcome, points: z.array(verdictShape) });

export const errorShape = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    exitCode: z.int(),
    message: z.string().min(1),
    subject: z.string().min(1),
    hint: z.string().min(1),
  }),
});

export const manifestShape = z.object({
  format: z.literal(1),
  id,
  service: z.string(),
  plan: z.string().nullable(),
  host: z.string(),
  timestamp: instant,
  completedAt: instant,
  durationMs: bytes,
  outcome: z.enum(['passed', 'partial']),
  holdfast: z.string(),
  counts: z.object({ succeeded: bytes, failed: bytes }),
  totalSize: bytes,
  items: z.array(
    z.object({
      name: z.string(),
      source: z.string(),
      kind: z.string(),
      file: z.string(),
      size: bytes,
      originalSize: bytes.nullable(),
      sha256,
      durationMs: bytes,
      outcome: z.enum(['passed', 'partial']),
      error: z.null(),
      facts: z.record(z.string(), z.union([z.number(), z.record(z.string(), z.number())])),
      tool: z.object({ name: z.string(), version: z.string() }),
    }),
  ),
});
