import type { GuardPlan } from '../../operations/guard-plan.ts';
import { printable } from './table.ts';

export const guardPlanAsJson = ({ name, operation, decision, ...found }: GuardPlan): object => ({
  dryRun: true,
  subject: name,
  operation,
  decision,
  ...found,
});

/** What would be made, what runs, and which checks decide: those that are not good now take nothing back. */
export function guardPlanForPeople({ decision, snapshots, archive, running, checks }: GuardPlan): string {
  if (!decision.protect) return `Would make nothing: ${printable(decision.reason)}`;
  return [
    ...snapshots.map((name) => `Would make ${printable(name)}`),
    ...(archive === null
      ? []
      : [`Would read ${archive.sources.map(printable).join(', ')} into ${printable(archive.repository)}`]),
    ...running.map((name) => `  runs      ${printable(name)}`),
    ...checks.map(({ name, good, detail }) => `  ${WORDS[`${good}`]}  ${printable(name)}: ${printable(detail)}`),
  ].join('\n');
}

const WORDS = { true: 'is good ', false: 'is bad  ', null: 'unknown ' } as const;
