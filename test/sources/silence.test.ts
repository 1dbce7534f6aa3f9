import { expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { unlessSilent } from '../../src/adapters/sources/server/silence.ts';
import type { Bytes } from '../../src/ports/bytes.ts';

/** What a shell prints, and the number of its process. */
function printing(script: string): { readonly read: (signal: AbortSignal) => Bytes; readonly pid: () => number } {
  let pid = 0;
  const onStderr = (line: string): void => {
    pid = Number(line);
  };
  const program = { program: 'sh', args: ['-c', `echo $$ >&2; ${script}`] };
  return { read: (signal) => localHost().read([program], { signal, onStderr }), pid: () => pid };
}

const never = (): AbortSignal => new AbortController().signal;
const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};
async function all(bytes: Bytes): Promise<string> {
  let text = '';
  for await (const chunk of bytes) text += Buffer.from(chunk).toString();
  return text;
}

test('a dump that stands still is ended and fails, however much of it came', async () => {
  const { read, pid } = printing('echo half; exec sleep 600');
  await expect(all(unlessSilent(read, 'shop', never(), 3000))).rejects.toMatchObject({
    code: 'SourceFailed',
    subject: 'shop',
    hint: expect.stringContaining('hangs'),
  });
  expect(pid()).toBeGreaterThan(0);
  await expect.poll(() => isGone(pid())).toBe(true);
});

test('a dump that comes is whole', async () => {
  const { read } = printing('for n in 1 2 3 4; do echo $n; done');
  expect(await all(unlessSilent(read, 'shop', never(), 60_000))).toBe('1\n2\n3\n4\n');
});

test('an abort ends a dump with its own reason, and a reader that leaves ends its program', async () => {
  const stopped = new AbortController();
  const waiting = printing('exec sleep 600');
  const reading = all(unlessSilent(waiting.read, 'shop', stopped.signal, 60_000));
  await expect.poll(waiting.pid).toBeGreaterThan(0);
  stopped.abort(new Error('stopped'));
  await expect(reading).rejects.toThrow('stopped');
  const left = printing('echo $$; exec sleep 600');
  let pid = 0;
  for await (const chunk of unlessSilent(left.read, 'shop', never(), 60_000)) {
    pid = Number(Buffer.from(chunk).toString());
    break;
  }
  expect(pid).toBeGreaterThan(0);
  await expect.poll(() => isGone(pid)).toBe(true);
});
