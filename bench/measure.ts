import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

/** One run of a command: seconds of wall time, seconds of all processors that it and its descendants took, which tells
 *  more on a machine that does other things too, and the largest resident set in bytes of the process itself. */
export interface Measured {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakBytes: number;
}

/** How often the high-water mark is looked at; what a process allocates in its last moments may be missed. */
const LOOK_MS = 10;

async function highWaterMark(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** proc(5): the shell's children, of which the first is the command; the shell itself is small. */
async function peakOf(shell: number): Promise<number> {
  const children = await readFile(`/proc/${shell}/task/${shell}/children`, 'utf8').catch(() => '');
  const peaks = await Promise.all(children.split(' ').filter(Boolean).map(Number).map(highWaterMark));
  return Math.max(0, ...peaks);
}

/** What `times` of a POSIX shell prints: its own times, then in a second line those of its children: `0m1.25s 0m0.31s`. */
function processorSecondsIn(times: string): number {
  const [, children = ''] = times.split('\n');
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
    0,
  );
}

/** Runs a shell line (the peers are pipelines) in `folder`. @throws Error when it does not end with 0 */
export async function measure(line: string, folder: string): Promise<Measured> {
  const from = performance.now();
  const child = spawn('/bin/sh', ['-c', `${line}; code=$?; times >&3; exit $code`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const times = text(child.stdio[3] as Readable);
  let peakBytes = 0;
  let ended = false;
  const watching = (async () => {
    while (!ended && child.pid !== undefined) {
      peakBytes = Math.max(peakBytes, await peakOf(child.pid));
      await setTimeout(LOOK_MS);
    }
  })();
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  const seconds = (performance.now() - from) / 1000;
  ended = true;
  await watching;
  if (code !== 0) throw new Error(`ended with ${code}: ${line}`);
  return { seconds, processorSeconds: processorSecondsIn(await times), peakBytes };
}

/** What is compared with what. `prepare` runs before each measurement and is not measured. */
export interface Contender {
  readonly name: string;
  readonly line: string;
  readonly prepare?: (round: number) => Promise<void>;
}

export interface Series {
  readonly name: string;
  readonly seconds: readonly number[];
  readonly processorSeconds: readonly number[];
  readonly peakBytes: number;
}

export const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Alternates the contenders, so that what else the machine does meets all of them. */
export async function alternate(
  contenders: readonly Contender[],
  rounds: number,
  folder: string,
): Promise<readonly Series[]> {
  const found = contenders.map(({ name }) => ({
    name,
    seconds: [] as number[],
    processorSeconds: [] as number[],
    peakBytes: 0,
  }));
  for (let round = 0; round < rounds; round++)
    for (const [index, { line, prepare }] of contenders.entries()) {
      await prepare?.(round);
      const { seconds, processorSeconds, peakBytes } = await measure(line, folder);
      const series = found[index];
      if (series === undefined) continue;
      series.seconds.push(seconds);
      series.processorSeconds.push(processorSeconds);
      series.peakBytes = Math.max(series.peakBytes, peakBytes);
      process.stderr.write(`  ${series.name}: ${seconds.toFixed(3)} s, processors ${processorSeconds.toFixed(2)} s\n`);
    }
  return found;
}

const spread = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}`;

const processors = (ours: Series, peer: Series): string =>
  `processors ${median(ours.processorSeconds).toFixed(2)} s to ${median(peer.processorSeconds).toFixed(2)} s`;

/** A row of the table: ours, the peer's, their ratio in each round, and what was promised. */
export function ratioRow(what: string, ours: Series, peer: Series, target: string): string {
  const ratios = ours.seconds.map((seconds, round) => seconds / (peer.seconds[round] ?? Number.NaN));
  return `| ${what} | ${median(ours.seconds).toFixed(2)} s | ${peer.name} ${median(peer.seconds).toFixed(2)} s | **${median(ratios).toFixed(2)}** (${spread(ratios)}); ${processors(ours, peer)} | ${target} |`;
}

/** A row for what is promised in milliseconds above a peer. */
export function differenceRow(what: string, ours: Series, peer: Series, target: string): string {
  const above = ours.seconds.map((seconds, round) => (seconds - (peer.seconds[round] ?? Number.NaN)) * 1000);
  const [low, high] = [Math.min(...above).toFixed(0), Math.max(...above).toFixed(0)];
  return `| ${what} | ${(median(ours.seconds) * 1000).toFixed(0)} ms | ${peer.name} ${(median(peer.seconds) * 1000).toFixed(0)} ms | **${median(above).toFixed(0)} ms** above (${low} to ${high}); ${processors(ours, peer)} | ${target} |`;
}

/** Seconds as such, without a peer. */
export const secondsOf = ({ seconds, processorSeconds }: Series): string =>
  `${median(seconds).toFixed(2)} s; processors ${median(processorSeconds).toFixed(2)} s`;

/** A row for what is promised as such: seconds or bytes. */
export const plainRow = (what: string, measured: string, target: string): string =>
  `| ${what} | ${measured} | | | ${target} |`;
