import { readFile } from 'node:fs/promises';
import { type Proof, strongestProof } from '../../../domain/evidence.ts';
import type { Manifest } from '../../../domain/manifest.ts';
import { type Hold, type RecoveryPoint, summaryOf } from '../../../domain/recovery-point.ts';
import { ifPresent } from './failures.ts';
import { HOLD, REPORTS } from './stored-names.ts';

export const printHold = ({ reason, at, by }: Hold): string =>
  `${JSON.stringify({ reason, at: at.toString(), by }, null, 2)}\n`;

/** What stands beside a point and may change after it was made. */
export interface Besides {
  readonly held: Hold | null;
  readonly proofs: readonly Proof[];
}

/** Reads the hold and the reports of the point of this id. `pathOf` gives the path of a name beside the point; null says
 *  that it is not there. */
export async function readBesides(id: string, pathOf: (name: string) => string | null): Promise<Besides> {
  const read = async (name: string): Promise<string | null> => {
    const path = pathOf(name);
    return path === null ? null : ifPresent(readFile(path, 'utf8'));
  };
  const [hold, ...reports] = await Promise.all([read(HOLD), ...REPORTS.map((report) => read(`${report}.json`))]);
  const stored = [hold, ...reports].some((text) => text !== null && text !== undefined);
  if (!stored) return { held: null, proofs: [] };
  const { parseHold, parseReport } = await import('./besides.ts');
  return {
    held: hold === null ? null : parseHold(hold),
    proofs: reports.flatMap((text) => (text === null ? [] : (parseReport(text, id) ?? []))),
  };
}

/** A point as the port has it, from what is stored. */
export function recoveryPoint(
  repository: string,
  location: string,
  manifest: Manifest,
  { held, proofs }: Besides,
): RecoveryPoint {
  const storedAt = Temporal.Instant.from(manifest.completedAt);
  return {
    id: manifest.id,
    repository,
    service: manifest.service,
    location,
    timestamp: Temporal.Instant.from(manifest.timestamp),
    manifest,
    ...summaryOf(manifest),
    outcome: manifest.outcome,
    totalSize: manifest.totalSize,
    ...strongestProof({ evidence: 'stored', evidenceAt: storedAt }, proofs),
    held,
    foreign: false,
  };
}

export const newestFirst = (a: RecoveryPoint, b: RecoveryPoint): number =>
  Temporal.Instant.compare(b.timestamp, a.timestamp) || Number(a.id < b.id) - Number(a.id > b.id);
