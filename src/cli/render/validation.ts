import type { Validation } from '../../operations/validate.ts';
import { coloured } from './colour.ts';
import { printable } from './table.ts';

export const validationAsJson = ({ outcome, checks }: Validation): object => ({
  outcome,
  checks: checks.map(({ name, outcome: verdict, detail, durationMs }) => ({
    name,
    outcome: verdict,
    detail,
    durationMs,
  })),
});

/** A line for each check that is not good, or for how many were. */
export function validationForPeople({ checks }: Validation): readonly string[] {
  const rest = checks.filter(({ outcome }) => outcome !== 'passed');
  const passed = checks.length - rest.length;
  return [
    ...(passed > 0 ? [`checks passed: ${passed}`] : []),
    ...rest.map(({ name, outcome, detail }) => `${coloured(outcome)}: ${printable(name)}: ${printable(detail)}`),
  ];
}
