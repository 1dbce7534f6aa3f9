import { formatDuration } from '../../domain/duration.ts';
import { formatBytes } from '../../domain/size.ts';
import type { Progress, ProgressEvent } from '../../ports/progress.ts';
import { printable } from './table.ts';

/** Milliseconds between two drawings of the line. */
const REDRAW_MS = 100;

interface Item {
  readonly totalBytes: number | null;
  readonly startedMs: number;
  bytes: number;
}

/** `412 MiB of 1.0 GiB  40 %  210 MiB/s  3 s left`; what cannot be told is left out. */
function rateLine({ bytes, totalBytes, startedMs }: Item, nowMs: number): string {
  const seconds = Math.max((nowMs - startedMs) / 1000, 0.001);
  const rate = bytes / seconds;
  const parts = [formatBytes(bytes)];
  if (totalBytes !== null && totalBytes > 0 && bytes <= totalBytes) {
    parts[0] += ` of ${formatBytes(totalBytes)}`;
    parts.push(`${Math.floor((100 * bytes) / totalBytes)} %`);
  }
  parts.push(`${formatBytes(rate)}/s`);
  if (totalBytes !== null && rate > 0 && bytes < totalBytes)
    parts.push(`${formatDuration(Math.ceil((totalBytes - bytes) / rate))} left`);
  return parts.join('  ');
}

function lineOf(event: ProgressEvent): string | null {
  if (event.type === 'step') return `${event.subject}: ${event.text}`;
  if (event.type === 'warning') return `warning: ${event.subject}: ${event.text}`;
  if (event.type === 'item-finished') {
    const next = event.hint === undefined ? '' : `\n  next: ${event.hint}`;
    return `${event.subject}: ${event.outcome}${event.detail ? `, ${event.detail}` : ''}${next}`;
  }
  return null;
}

export interface ProgressOptions {
  readonly stream: NodeJS.WriteStream;
  readonly quiet: () => boolean;
  readonly verbose: () => boolean;
  readonly enabled: () => boolean;
  readonly nowMs: () => number;
}

/** Draws what an operation tells: one line that is drawn anew on a terminal, plain lines in a log. Warnings are shown
 *  even with `--quiet`, since nothing that went wrong is kept back. */
export function progressOn(options: ProgressOptions): Progress & { clear(): void } {
  const { stream, quiet, verbose, enabled, nowMs } = options;
  const items = new Map<string, Item>();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const clear = (): void => {
    if (drawn) stream.write('\r\u001b[K');
    drawn = false;
  };
  const draw = (): void => {
    const [subject, item] = [...items].at(-1) ?? [];
    if (!stream.isTTY || item === undefined || nowMs() - drawnMs < REDRAW_MS) return;
    const more = items.size > 1 ? `  (and ${items.size - 1} more)` : '';
    const line = `${printable(subject ?? '')}  ${rateLine(item, nowMs())}${more}`;
    stream.write(`\r\u001b[K${line.slice(0, Math.max(20, (stream.columns || 80) - 1))}`);
    drawn = true;
    drawnMs = nowMs();
  };
  const progress = (event: ProgressEvent): void => {
    if (event.type === 'item-started')
      items.set(event.subject, { totalBytes: event.totalBytes, startedMs: nowMs(), bytes: 0 });
    const item = items.get(event.subject);
    if (event.type === 'item-advanced' && item) item.bytes = event.bytes;
    if (event.type === 'item-finished') items.delete(event.subject);
    const line = lineOf(event);
    const wanted =
      event.type === 'warning' || (!quiet() && enabled() && (event.type !== 'step' || verbose() || !stream.isTTY));
    if (line !== null && wanted) {
      clear();
      stream.write(`${line.split('\n').map(printable).join('\n')}\n`);
    }
    if (!quiet() && enabled()) draw();
  };
  return Object.assign(progress, { clear });
}
