interface Ordered {
  readonly name: string;
  readonly kind: 'snapshot' | 'kept-state';
  readonly madeAt: Temporal.Instant;
}

const secondOf = ({ madeAt }: Ordered): number => Math.floor(madeAt.epochMilliseconds / 1000);
const isKept = ({ kind }: Ordered): number => (kind === 'kept-state' ? 1 : 0);

/** Newest first. The name of a kept state tells when it was made to the second only, and the snapshot that took its place
 *  was there before: of the same second it is the newer one. */
export const newestSnapshotFirst = (a: Ordered, b: Ordered): number =>
  secondOf(b) - secondOf(a) ||
  isKept(b) - isKept(a) ||
  Temporal.Instant.compare(b.madeAt, a.madeAt) ||
  (a.name < b.name ? 1 : -1);
