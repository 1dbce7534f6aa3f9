// Performs the commands of a document and puts what they print below them.
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** Holdfast from its sources. */
const SOURCES = [process.execPath, resolve(import.meta.dirname, '../../src/main.ts')] as const;
/** Milliseconds for one command on a busy machine. */
const LIMIT_MS = 120_000;
/** The machine's name is nobody's business, and the columns stay where they are. */
const MACHINE = 'nas';

const perform = promisify(execFile);

type Program = readonly [node: string, main: string];

/** A folder to walk in: `holdfast` on the PATH, a home and a state of its own, times in UTC, no colours. */
async function environmentIn(folder: string, [node, main]: Program): Promise<NodeJS.ProcessEnv> {
  const own = join(folder, '.own');
  for (const name of ['bin', 'home']) await mkdir(join(own, name), { recursive: true });
  const program = join(own, 'bin/holdfast');
  await writeFile(program, `#!/bin/sh\nexec '${node}' '${main}' "$@"\n`);
  await chmod(program, 0o755);
  return {
    PATH: `${join(own, 'bin')}:${process.env.PATH}`,
    HOME: join(own, 'home'),
    STATE_DIRECTORY: join(own, 'state'),
    HOLDFAST_CONFIG: join(folder, 'holdfast.yaml'),
    TZ: 'UTC',
    LC_ALL: 'C.UTF-8',
    NO_COLOR: '1',
  };
}

/** Performs the `$` lines of each ```console block in order and answers with the document as it was then printed: what
 *  a command wrote to stdout and stderr, as it came. `> ` goes on with the line before. `{{folder}}` is the folder
 *  walked in and `{{inside}}` its name in a tar, `{{newest}}` and `{{oldest}}` are points of the configured repositories.
 *  @throws Error for a command that does not end with 0 */
export async function walk(document: string, folder: string, program: Program = SOURCES): Promise<string> {
  const env = await environmentIn(folder, program);
  const shell = (line: string) =>
    perform('bash', ['-c', `exec 2>&1\n${line}`], { cwd: folder, env, timeout: LIMIT_MS });
  async function point(which: 0 | -1): Promise<string> {
    const { points } = JSON.parse((await shell('holdfast list --json')).stdout) as { points: { id: string }[] };
    return points.at(which)?.id ?? '';
  }
  const filled = (text: string): string =>
    text.replaceAll('{{folder}}', folder).replaceAll('{{inside}}', folder.slice(1));
  const printed: string[] = [];
  let inside = false;
  const lines = document.split('\n');
  for (let index = 0; index < lines.length; index++) {
    let line = filled(lines[index] ?? '');
    if (line.startsWith('```')) inside = line === '```console';
    if (!inside || !line.startsWith('$ ')) {
      printed.push(line);
      continue;
    }
    while (lines[index + 1]?.startsWith('> ')) line += `\n${filled(lines[++index] ?? '')}`;
    if (line.includes('{{newest}}')) line = line.replaceAll('{{newest}}', await point(0));
    if (line.includes('{{oldest}}')) line = line.replaceAll('{{oldest}}', await point(-1));
    const command = line.slice(2).replaceAll('\n> ', '\n');
    const { stdout } = await shell(command).catch((error: { stdout?: string; message: string }) => {
      throw new Error(`${command}\n${error.stdout ?? ''}\n${error.message}`);
    });
    printed.push(line, ...(stdout === '' ? [] : [stdout.replace(/\n$/, '').replaceAll(hostname(), MACHINE)]));
  }
  return printed.join('\n');
}

/** Takes away what a walk that ended in its middle left mounted: before the folder is removed, with all that is in it. */
export async function unmountAll(folder: string): Promise<void> {
  const { stdout } = await perform('findmnt', ['--raw', '--noheadings', '--output', 'TARGET']);
  for (const point of stdout.split('\n').toReversed())
    if (point.startsWith(`${folder}/`)) await perform('umount', [point]);
}

/** A printed document without what differs from one day and machine to the next: ids, times, durations, sizes, versions,
 *  the folder, the width of columns, which of two items that are stored side by side ends first. Two walks through the same program have the same shape. */
export const shapeOf = (printed: string, folder: string): string =>
  printed
    .replaceAll(/(?:^\w+: passed\n)+/gm, (items) => `${items.trimEnd().split('\n').toSorted().join('\n')}\n`)
    .replaceAll(folder, '/FOLDER')
    .replaceAll(folder.slice(1), 'FOLDER')
    .replaceAll(/\b[0-9a-f]{32,64}\b/g, 'HEX')
    .replaceAll(/\b(?:01[0-9A-HJKMNP-TV-Z]{24}|age1[0-9a-z]{20,})\b/g, 'ID')
    .replaceAll(/\b\d{8}[_-]\d{6}(?:-\d)?\b/g, 'TIME')
    .replaceAll(/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?/g, 'TIME')
    .replaceAll(/\b(?:daily|weekly|monthly|yearly|hourly) [-\dWT:]+/g, 'BUCKET')
    .replaceAll(/\b\d{4}-(?:W\d\d|\d\d)\b/g, 'TIME')
    .replaceAll(/\b[\d.]+(?:ms|s|m|h|d)(?: \d+[smh])?\b/g, 'DURATION')
    .replaceAll(/(": )\d+/g, '$1NUMBER')
    .replaceAll(/\b[\d.]+ (?:B|KiB|MiB|GiB|TiB|bytes?)\b/g, 'SIZE')
    .replaceAll(/\b\d+\.\d+(?:\.\d+)*\b/g, 'VERSION')
    .replaceAll(/^(\S{10}) +\d+ /gm, '$1 SIZE ') // a line of `ls`
    .replaceAll(/-{3,}/g, '---')
    .replaceAll(/[ \t]+/g, ' ');
