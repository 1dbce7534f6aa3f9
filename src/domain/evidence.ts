import { type Evidence, evidenceRank } from './recovery-point.ts';

/** What was proved, and since when. */
export interface Proof {
  readonly evidence: Evidence;
  readonly evidenceAt: Temporal.Instant;
}

/** What a point's reports say together, beginning with what storing it proved: the highest evidence since the last
 *  failed check. Of equal evidence the newer proof counts. */
export function strongestProof(stored: Proof, reports: readonly Proof[]): Proof {
  const inTime = reports.toSorted((a, b) => Temporal.Instant.compare(a.evidenceAt, b.evidenceAt));
  return inTime.reduce((before, next) => {
    const counts = next.evidence === 'failed' || evidenceRank(next.evidence) >= evidenceRank(before.evidence);
    return counts ? next : before;
  }, stored);
}

/** What a point's evidence is after a check of it. `proven` is what the check proved of every item that is stored, null
 *  when it could not be told. A failed check counts for nothing and everything before it too. */
export function proofAfter(before: Proof, proven: Evidence | null, at: Temporal.Instant): Proof {
  if (proven === null) return before;
  const counts = proven === 'failed' || evidenceRank(proven) >= evidenceRank(before.evidence);
  return counts ? { evidence: proven, evidenceAt: at } : before;
}
