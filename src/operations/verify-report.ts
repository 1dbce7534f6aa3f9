import { type Check, checkFields, type PointVerdict, type ReportMade, type VerifyLevel } from '../domain/verdict.ts';
import type { ReportFields } from '../ports/repository.ts';

interface Made extends ReportMade {
  readonly level: VerifyLevel;
}

/** `verification-report.json`: what `verify --json` prints of one point (interface, section 4), and what the catalog is
 *  rebuilt from. Durations in milliseconds. */
export interface VerifyReportJson extends ReportFields {
  readonly outcome: Check['outcome'];
  readonly checks: readonly Check[];
  readonly point: string;
  readonly service: string;
  readonly level: VerifyLevel;
  /** When it was made, ISO 8601. */
  readonly at: string;
  readonly holdfast: string;
}

export function verifyReportJson({ point, outcome, checks, ...proof }: PointVerdict, made: Made): VerifyReportJson {
  return {
    outcome,
    checks: checks.map(checkFields),
    point: point.id,
    service: point.service,
    level: made.level,
    evidence: proof.evidence,
    evidenceAt: `${proof.evidenceAt}`,
    at: `${made.at}`,
    holdfast: made.version,
  };
}

/** `verification-report.txt`, for people. */
export function verifyReportText(verdict: PointVerdict, { level, at, version }: Made): string {
  const { point, outcome, checks, evidence, evidenceAt } = verdict;
  const width = Math.max(...checks.map(({ name }) => name.length));
  const rows = checks.map((check) =>
    `  ${check.outcome.padEnd(12)}  ${check.name.padEnd(width)}  ${check.detail}`.trimEnd(),
  );
  return [
    'Verification report',
    '',
    `Service   ${point.service}`,
    `Point     ${point.id}, of ${point.timestamp}`,
    `Checked   ${at}, level ${level}, holdfast ${version}`,
    `Outcome   ${outcome}`,
    `Evidence  ${evidence}, since ${evidenceAt}`,
    '',
    'Checks',
    ...rows,
    '',
  ].join('\n');
}
