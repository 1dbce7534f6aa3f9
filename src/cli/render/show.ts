import { counted } from '../../domain/counted.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { Facts } from '../../domain/facts.ts';
import type { Item } from '../../domain/manifest.ts';
import { formatBytes } from '../../domain/size.ts';
import type { ShowReport } from '../../operations/show.ts';
import { coloured, strong } from './colour.ts';
import { remarkOf, timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** `3 tables, 1200 rows`, `812 files, 1.2 GiB`. */
export function factsForPeople({
  tables,
  uncounted,
  entries,
  keys,
  documents,
  attachments,
  files,
  bytes,
}: Facts): string {
  const counts = Object.values(tables ?? {});
  const words = [
    tables ? `${counted(counts.length, 'table')}, ${counted(total(counts), 'row')}` : '',
    uncounted?.length ? `${counted(uncounted.length, 'table')} not counted` : '',
    entries === undefined ? '' : counted(entries, 'entry', 'entries'),
    keys === undefined ? '' : counted(keys, 'key'),
    documents ? counted(total(Object.values(documents)), 'document') : '',
    attachments ? counted(attachments, 'attachment') : '',
    files === undefined ? '' : counted(files, 'file'),
    bytes === undefined ? '' : formatBytes(bytes),
  ];
  return words.filter((word) => word !== '').join(', ');
}

const itemRow = (item: Item): string[] => [
  printable(item.name),
  coloured(item.outcome),
  formatBytes(item.size),
  formatDuration(item.durationMs / 1000),
  factsForPeople(item.facts),
  printable(item.file ?? ''),
];

/** Everything a person asks of one point; a foreign archive has no manifest and shows what its name and size say. */
export function showForPeople({ point, orphaned }: ShowReport): string {
  const { manifest } = point;
  const remark = remarkOf({ ...point, orphaned });
  const lines = [
    `${strong(point.id)}  ${printable(point.service)} in ${printable(point.repository)} (${printable(point.location)})`,
    `made      ${timeForPeople(point.timestamp)}${manifest ? ` on ${printable(manifest.host)}, took ${formatDuration(manifest.durationMs / 1000)}` : ''}`,
    `outcome   ${coloured(point.outcome)}`,
    `proved    ${coloured(point.evidence)}, ${timeForPeople(point.evidenceAt)}`,
    `size      ${formatBytes(point.totalSize)}`,
    ...(point.plan === null ? [] : [`plan      ${printable(point.plan)}`]),
    ...(remark === '' ? [] : [`remark    ${printable(remark)}`]),
  ];
  if (manifest === null) return lines.join('\n');
  const columns = [
    { title: 'ITEM' },
    { title: 'OUTCOME' },
    { title: 'SIZE', align: 'right' },
    { title: 'TOOK', align: 'right' },
    { title: 'FACTS' },
    { title: 'FILE' },
  ] as const;
  const said = manifest.items.flatMap(({ name, error, warnings }) => [
    ...(error === null ? [] : [`error: ${name}: ${error}`]),
    ...warnings.map((warning) => `warning: ${name}: ${warning}`),
  ]);
  return [...lines, '', table(columns, manifest.items.map(itemRow)), ...said.map(printable)].join('\n');
}
