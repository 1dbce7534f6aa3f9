// Read when a point has a hold or a report: a schema costs every start that has it.
import * as z from 'zod';
import type { Proof } from '../../../domain/evidence.ts';
import { EVIDENCE, type Hold } from '../../../domain/recovery-point.ts';

const holdSchema = z.object({ reason: z.string(), at: z.string(), by: z.enum(['user', 'anomaly', 'clock']) });
const reportSchema = z.object({ point: z.string(), evidence: z.enum([...EVIDENCE, 'failed']), evidenceAt: z.string() });

/** A hold that cannot be read holds all the same: what was kept from removal stays. */
export function parseHold(text: string): Hold {
  try {
    const { reason, at, by } = holdSchema.parse(JSON.parse(text));
    return { reason, at: Temporal.Instant.from(at), by };
  } catch {
    return { reason: 'its hold cannot be read', at: Temporal.Instant.fromEpochMilliseconds(0), by: 'user' };
  }
}

/** A report that cannot be read, or that is of another point and was copied here, proves nothing. */
export function parseReport(text: string, id: string): Proof | null {
  try {
    const { point, evidence, evidenceAt } = reportSchema.parse(JSON.parse(text));
    if (point !== id) return null;
    return { evidence, evidenceAt: Temporal.Instant.from(evidenceAt) };
  } catch {
    return null;
  }
}
