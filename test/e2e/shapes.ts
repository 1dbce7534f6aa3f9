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

const snapshotOutcome = z.enum([
  ...(['pending', 'success', 'command_failed'] as const),
  ...(['validation_failed', 'rolled_back', 'rollback_failed'] as const),
]);
const recovery = z.object({
  timestamp: instant,
  subvolume: z.string(),
  restored_snapshot: z.string(),
  reason: z.enum(['manual-recovery', 'command-failed', 'validation-failed']),
  duration_seconds: z.number().nonnegative(),
  outcome: z.enum(['success', 'failed']),
});
const seconds = z.number().nonnegative().nullable();
const ratio = z.number().min(0).max(1).nullable();

/** Interface, section 5. */
export const historyShape = z.object({
  snapshots: z.array(
    z.object({
      timestamp: instant,
      subvolume: z.string(),
      type: z.enum(['pre-operation', 'scheduled', 'manual']),
      operation: z.string().nullable(),
      snapshot_name: z.string(),
      outcome: snapshotOutcome,
      size_mb: z.number().nonnegative().nullable(),
      commandExit: z.int().nullable(),
      rolledBack: z.boolean(),
    }),
  ),
  recoveries: z.array(recovery),
  figures: z.object({
    deployments: z.object({ total: bytes, guarded: bytes, ratio }),
    recoveries: z.object({ total: bytes, succeeded: bytes, ratio, meanSeconds: seconds, worstSeconds: seconds }),
    services: z.record(
      z.string(),
      z.object({ meanSeconds: seconds, worstSeconds: seconds, lastDrillSeconds: seconds }),
    ),
  }),
});

const validation = z.object({
  outcome: z.enum(['valid', 'invalid', 'inconclusive']),
  checks: z.array(z.object({ name: z.string(), outcome: z.string(), detail: z.string(), durationMs: bytes })),
});
export const guardShape = z.object({
  subvolume: z.string(),
  operation: z.string(),
  decision: z.object({ protect: z.boolean(), reason: z.string().min(1) }),
  snapshot_name: z.string().nullable(),
  outcome: z.union([snapshotOutcome, z.literal('unprotected')]),
  commandExit: z.int().nullable(),
  rolledBack: z.boolean(),
  validation: validation.nullable(),
  rollback: z.object({ outcome: z.enum(['success', 'failed']), recovery, problems: z.array(z.string()) }).nullable(),
  exitCode: z.int(),
  durationMs: bytes,
});
