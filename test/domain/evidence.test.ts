import { expect, test } from 'vitest';
import { type Proof, strongestProof } from '../../src/domain/evidence.ts';
import type { Evidence } from '../../src/domain/recovery-point.ts';

const proof = (evidence: Evidence, hour: number): Proof => ({
  evidence,
  evidenceAt: Temporal.Instant.from(`2026-11-20T${String(hour).padStart(2, '0')}:00:00Z`),
});
const stored = proof('stored', 1);

test('a point without reports is stored', () => {
  expect(strongestProof(stored, [])).toEqual(stored);
});

test('a weaker check after a stronger one does not lower the evidence', () => {
  expect(strongestProof(stored, [proof('readable', 3), proof('restored', 2)])).toEqual(proof('restored', 2));
});

test('a failed check takes all earlier evidence away', () => {
  expect(strongestProof(stored, [proof('restored', 2), proof('failed', 3)])).toEqual(proof('failed', 3));
});

test('what is proved after a failed check counts from there', () => {
  expect(strongestProof(stored, [proof('readable', 4), proof('failed', 3)])).toEqual(proof('readable', 4));
});

test('of equal evidence the newer proof counts', () => {
  expect(strongestProof(stored, [proof('sound', 5), proof('sound', 2)])).toEqual(proof('sound', 5));
});
