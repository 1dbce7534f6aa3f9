import type { DrilledItem, DrillVerdict } from '../../domain/drill.ts';
import { formatDuration } from '../../domain/duration.ts';
import { compareFacts, type Facts } from '../../domain/facts.ts';
import type { Check } from '../../domain/verdict.ts';
import type { DrillReport } from '../../operations/drill.ts';
import { besideTarget } from '../../operations/drill-report.ts';
import { printable } from './table.ts';

/** Names come from databases and files: none of them is read as markup, nor holds what no page may. */
const text = (words: string): string =>
  printable(words).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: light; --passed: #1a7f37; --failed: #b42318; --inconclusive: #9a6700; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0 1rem; break-inside: auto; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #d0d7de; overflow-wrap: anywhere; }
tr { break-inside: avoid; } td.number, th.number { text-align: right; white-space: nowrap; }
.passed { color: var(--passed); } .failed { color: var(--failed); font-weight: 600; } .inconclusive { color: var(--inconclusive); }
.bar { display: inline-block; height: .7em; background: #57606a; min-width: 1px; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2 { break-after: avoid; } }
`;

const outcome = (word: string): string => `<span class="${text(word)}">${text(word)}</span>`;
const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
/** Cells are markup already. */
const table = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : `<table><thead><tr>${titles.map((title) => `<th>${text(title)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n')}</tbody></table>`;
const section = (title: string, body: string): string => (body === '' ? '' : `<h3>${text(title)}</h3>\n${body}`);

function phaseRows(phases: readonly Check[]): readonly (readonly string[])[] {
  const longest = Math.max(1, ...phases.map(({ durationMs }) => durationMs));
  return phases.map(({ name, outcome: found, detail, durationMs }) => {
    const bar = `<span class="bar" style="width:${((durationMs / longest) * 8).toFixed(2)}rem"></span>`;
    return [text(name), outcome(found), `${seconds(durationMs)} ${bar}`, text(detail)];
  });
}

const itemRows = (items: readonly DrilledItem[]): readonly (readonly string[])[] =>
  items.map(({ name, outcome: found, durationMs, detail, dumpedBy, restoredBy, left }) => [
    text(name),
    outcome(found),
    seconds(durationMs),
    [detail, ...left].map(text).join('<br>'),
    text(dumpedBy === null ? '' : `${dumpedBy.name} ${dumpedBy.version}`),
    text(restoredBy === null ? 'as a file' : `${restoredBy.name} ${restoredBy.version}`),
  ]);

/** Every count, by a name of its own, in the words of the manifest. */
function factRows({ name, expected, actual }: DrilledItem): readonly (readonly string[])[] {
  const different = new Map(compareFacts(expected, actual ?? {}).map((each) => [each.fact, each]));
  const rows = countsOf(expected).map(([fact, count]) => {
    const other = different.get(fact);
    const found = actual === null ? 'not restored' : `${other === undefined ? count : (other.actual ?? 'none')}`;
    different.delete(fact);
    return [text(name), text(fact), `${count}`, other === undefined ? found : `<span class="failed">${found}</span>`];
  });
  const added = actual === null ? [] : [...different.values()].filter(({ expected: was }) => was === null);
  return [
    ...rows,
    ...added.map((each) => [text(name), text(each.fact), 'none', `<span class="failed">${each.actual}</span>`]),
  ];
}

const countsOf = (facts: Facts): readonly (readonly [string, number])[] =>
  compareFacts(facts, {}).flatMap(({ fact, expected }) => (expected === null ? [] : [[fact, expected] as const]));

function verdictAsHtml(verdict: DrillVerdict): string {
  const { point, items, phases, checks, notChecked, rtoMs, evidence, isolated } = verdict;
  const about = [
    ['Outcome', outcome(verdict.outcome)],
    ['Recovery point', text(`${point.id}, of ${point.timestamp}, in ${point.repository}`)],
    [
      'Recovery time',
      rtoMs === null ? 'not measured' : text(`${formatDuration(rtoMs / 1000)}${besideTarget(verdict)}`),
    ],
    ['Evidence', text(`${evidence}, since ${verdict.evidenceAt.round('second')}`)],
    ['Network', isolated ? 'none: nothing but the restored copy was reached' : 'not taken away on this machine'],
  ];
  const checkRows = checks.map((check) => [
    text(check.name),
    outcome(check.outcome),
    seconds(check.durationMs),
    text(check.detail),
  ]);
  return [
    `<h2>${text(point.service)}</h2>`,
    table(['', ''], about),
    section('Phases', table(['Phase', 'Outcome', 'Time', 'Detail'], phaseRows(phases))),
    section('Items', table(['Item', 'Outcome', 'Restored in', 'Detail', 'Made by', 'Restored by'], itemRows(items))),
    section('The service’s own checks', table(['Check', 'Outcome', 'Time', 'Detail'], checkRows)),
    section(
      'Not checked',
      table(
        ['What', 'Why'],
        notChecked.map(({ name, reason }) => [text(name), text(reason)]),
      ),
    ),
    section('Facts', table(['Item', 'Fact', 'Counted in the backup', 'Counted in the copy'], items.flatMap(factRows))),
  ].join('\n');
}

/** A report that can be read and printed without anything else: one file, no script. */
export function drillAsHtml({ points, warnings, outcome: found, run }: DrillReport): string {
  const said = table(
    ['Not drilled', 'Why'],
    warnings.map(({ subject, text: why }) => [text(subject), text(why)]),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Disaster recovery drill</title><style>${STYLE}</style></head>
<body><h1>Disaster recovery drill: ${outcome(found)}</h1>
<p>Run ${text(run)}. What was counted in the same instant as the backup is compared with what the restored copy has.</p>
${[...points.map(verdictAsHtml), said].join('\n')}
</body></html>
`;
}
