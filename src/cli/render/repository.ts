import type { RepositoryConfiguration } from '../../config/schema.ts';
import { formatBytes } from '../../domain/size.ts';
import type { RepositoryRow } from '../../operations/repository-list.ts';
import { bad } from './colour.ts';
import { printable, table } from './table.ts';

export function repositoriesForPeople(rows: readonly RepositoryRow[]): string {
  const columns = [
    { title: 'REPOSITORY' },
    { title: 'ENGINE' },
    { title: 'POINTS', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'FREE', align: 'right' },
  ] as const;
  const bytes = (value: number | null): string => (value === null ? '' : formatBytes(value));
  const cells = rows.map(({ name, engine, points, totalSize, freeBytes }) => [
    printable(name),
    engine ?? '-',
    points === null ? '' : String(points),
    bytes(totalSize),
    bytes(freeBytes),
  ]);
  const problems = rows.flatMap(({ name, problem }) =>
    problem === null ? [] : [`${bad('failed')}: ${printable(name)}: ${printable(problem)}`],
  );
  return rows.length === 0 ? 'No repositories are configured.' : [table(columns, cells), ...problems].join('\n');
}

/** What to print and keep elsewhere: where the repository is, what opens it, and how to restore without Holdfast. */
export function recoverySheet(name: string, id: string, config: RepositoryConfiguration | undefined): string {
  const { path = '', encryption } = config?.engine === 'archive' ? config : {};
  const opener = encryption === undefined ? '' : `, and ${'age' in encryption ? 'age' : 'gpg'}`;
  const lines = [
    `Repository ${name} is ready: ${path}`,
    `  id        ${id}`,
    `  restore   without Holdfast: restore.sh in that folder needs sh, tar, zstd or gzip as packed${opener}`,
    `            with Holdfast and nothing else: holdfast restore SERVICE --repository ${path}${keyOption(config)} --to DIR`,
  ];
  return [...lines, ...keyLines(config)].join('\n');
}

/** How a command that knows no configuration is told what opens the repository; gpg knows its own key ring. */
function keyOption(config: RepositoryConfiguration | undefined): string {
  if (config?.engine !== 'archive' || config.encryption === undefined) return '';
  const { encryption } = config;
  if ('age' in encryption) return ' --identity FILE';
  return 'passphrase' in encryption.gpg ? ' --passphrase-file FILE' : '';
}

function keyLines(config: RepositoryConfiguration | undefined): readonly string[] {
  if (config?.engine !== 'archive' || config.encryption === undefined)
    return ['  sealed    no: whoever reads the disk reads the data'];
  const { encryption } = config;
  if ('age' in encryption)
    return [
      `  sealed    with age for ${encryption.age.recipients.join(', ')}`,
      '            Print this sheet and keep the identity (the secret key) on another medium: without it nothing opens.',
    ];
  return [
    'recipients' in encryption.gpg
      ? `  sealed    with GPG for ${encryption.gpg.recipients.join(', ')}`
      : '  sealed    with a GPG passphrase',
    '            Print this sheet and keep the secret on another medium: without it nothing opens.',
  ];
}
