import { formatDuration } from '../../domain/duration.ts';
import { coloured, strong } from './colour.ts';

export interface DemoStep {
  readonly name: string;
  readonly outcome: 'passed';
  readonly detail: string;
  readonly durationMs: number;
}

export const stepForPeople = ({ name, outcome, detail, durationMs }: DemoStep): string =>
  `${coloured(outcome)}  ${name.padEnd(8)}  ${detail} (${formatDuration(durationMs / 1000)})`;

export function demoForPeople(steps: readonly DemoStep[], kept: string | null): string {
  const total = steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const summary = `${strong('What was destroyed is back, and identical.')} ${formatDuration(total / 1000)} in all.`;
  if (kept === null) return `${summary}\nNext: holdfast init`;
  return `${summary}\nIt is all in ${kept}. Look around with: holdfast --config ${kept}/holdfast.yaml list`;
}

export const demoAsJson = (steps: readonly DemoStep[], folder: string | null): object => ({
  outcome: 'passed',
  steps: steps.map(({ name, outcome, detail, durationMs }) => ({ name, outcome, detail, durationMs })),
  folder,
});
