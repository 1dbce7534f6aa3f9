import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import type { Bytes } from '../../src/ports/bytes.ts';
import type { Command, Finished, Host } from '../../src/ports/host.ts';

/** A host to be tried, with a grace of a second or less between TERM and KILL. */
export interface HostFixture extends AsyncDisposable {
  readonly host: Host;
  /** An empty folder on the host, removed with the fixture. */
  readonly folder: string;
}

const MEGABYTE = 1024 ** 2;
const never = (): AbortSignal => new AbortController().signal;
const shell = (script: string): Command => ({ program: 'sh', args: ['-c', script] });

async function collect(bytes: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* endless(): Bytes {
  for (;;) yield Buffer.alloc(65_536, 'x');
}

/** A number of seconds that no other `sleep` has, so that what is left of a program can be found by its arguments. */
const uniqueSeconds = (): string => `6${Math.floor(Math.random() * 1e8)}`;

/** The processes whose arguments are exactly these, or that have them at their end. */
async function running(host: Host, seconds: string): Promise<string> {
  const args = ['-f', '--', `sleep ${seconds}$`];
  return (await host.run({ program: 'pgrep', args }, { signal: never(), accept: [0, 1] })).stdout;
}

/** Waits until a `sleep` runs, or until none is left. */
async function until(host: Host, seconds: string, wanted: 'running' | 'gone'): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (((await running(host, seconds)) === '') === (wanted === 'running')) {
    if (performance.now() > deadline) throw new Error(`sleep ${seconds} is not ${wanted}`);
    await sleep(20);
  }
}

/** What every host owes for the programs it runs (ports/host.ts). */
export function hostContract(name: string, fixture: () => Promise<HostFixture>): void {
  describe(`${name}: programs`, () => {
    test('arguments arrive as they are, whatever a shell would make of them', async () => {
      await using made = await fixture();
      const args = ['%s|', '$HOME', '*', 'a b', "'", '"', '\\', 'new\nline', '; exit 3', '', '-n', 'ä'];
      const { stdout } = await made.host.run({ program: 'printf', args }, { signal: never() });
      expect(stdout).toBe(`${args.slice(1).join('|')}|`);
    });

    test('the environment is PATH, HOME, LANG, LC_ALL and what the command has, nothing of the caller', async () => {
      await using made = await fixture();
      const environment = { GIVEN: 'a b' };
      const { stdout } = await made.host.run({ program: 'env', args: ['-0'], environment }, { signal: never() });
      const names = stdout.split('\0').flatMap((line) => line.split('=')[0] || []);
      expect(names.toSorted()).toEqual(['GIVEN', 'HOME', 'LANG', 'LC_ALL', 'PATH']);
      expect(stdout).toContain('LC_ALL=C\0');
      expect(stdout).toContain('GIVEN=a b\0');
    });

    test('a program runs in its working folder, and not at all when that is missing', async () => {
      await using made = await fixture();
      const pwd = { program: 'pwd', args: ['-P'] };
      const inside = await made.host.run({ ...pwd, workingFolder: made.folder }, { signal: never() });
      expect(inside.stdout).toBe(`${made.folder}\n`);
      const outside = made.host.run({ ...pwd, workingFolder: `${made.folder}/missing` }, { signal: never() });
      await expect(outside).rejects.toMatchObject({ code: 'SourceMissing' });
    });

    test('bytes pass unchanged through a pipeline', async () => {
      await using made = await fixture();
      const file = `${made.folder}/random`;
      await made.host.run(shell(`head -c 30000000 /dev/urandom > ${file}`), { signal: never() });
      const hash = createHash('sha256');
      const cat = { program: 'cat', args: [file] };
      for await (const chunk of made.host.read([cat, { program: 'cat', args: [] }], { signal: never() }))
        hash.update(chunk);
      const { stdout } = await made.host.run({ program: 'sha256sum', args: [file] }, { signal: never() });
      expect(hash.digest('hex')).toBe(stdout.split(' ')[0]);
    });

    test('reading throws at the end when the producer failed, however many bytes came', async () => {
      await using made = await fixture();
      let bytes = 0;
      const reading = async (): Promise<void> => {
        const dump = shell('head -c 300000 /dev/zero; echo "disk is gone" >&2; exit 3');
        for await (const chunk of made.host.read([dump], { signal: never() })) bytes += chunk.length;
      };
      await expect(reading()).rejects.toMatchObject({
        code: 'ProcessFailed',
        message: 'sh ended with 3: disk is gone',
      });
      expect(bytes).toBe(300_000);
    });

    test('a program that a signal ends is a failure', async () => {
      await using made = await fixture();
      const ended = made.host.run(shell('kill -9 $$'), { signal: never(), accept: [0, 9, 137] });
      await expect(ended).rejects.toMatchObject({ code: 'ProcessFailed' });
    });

    test('a pipeline fails when its first member fails, and no later member takes half of the bytes for the whole', async () => {
      await using made = await fixture();
      const dump = shell('echo half; exit 2');
      const load = shell(`cat > ${made.folder}/loaded; echo committed > ${made.folder}/committed`);
      const feeding = made.host.feed([dump, load], { signal: never() });
      await expect(feeding).rejects.toMatchObject({ code: 'ProcessFailed', message: 'sh ended with 2.' });
      expect(await made.host.files.status(`${made.folder}/committed`, never())).toBeNull();
    });

    test('the consumer that failed is named, not the producer that its closed pipe ended', async () => {
      await using made = await fixture();
      const load = shell('head -c 1000 > /dev/null; exec <&-; sleep 0.3; echo "bad row" >&2; exit 4');
      const reading = collect(made.host.read([{ program: 'yes', args: [] }, load], { signal: never() }));
      await expect(reading).rejects.toThrow('sh ended with 4: bad row');
    });

    test('an accepted code is no failure, and each end is told once', async () => {
      await using made = await fixture();
      const ends: Finished[] = [];
      const options = { signal: never(), accept: [0, 1], onFinished: (finished: Finished) => void ends.push(finished) };
      const bytes = await collect(made.host.read([shell('echo a; exit 1'), { program: 'cat', args: [] }], options));
      expect(bytes.toString()).toBe('a\n');
      expect(ends.map(({ program, exitCode, signal }) => [program, exitCode, signal])).toEqual([
        ['sh', 1, null],
        ['cat', 0, null],
      ]);
    });

    test('a program that is not there is ToolMissing at any place of a pipeline, and the others are ended', async () => {
      await using made = await fixture();
      const seconds = uniqueSeconds();
      const missing = { program: 'no-such-program', args: [] };
      const idle = { program: 'sleep', args: [seconds] };
      const isMissing = { code: 'ToolMissing', subject: 'no-such-program' };
      await expect(made.host.run(missing, { signal: never() })).rejects.toMatchObject(isMissing);
      await expect(collect(made.host.read([missing, idle], { signal: never() }))).rejects.toMatchObject(isMissing);
      await expect(made.host.feed([idle, missing], { signal: never() })).rejects.toMatchObject(isMissing);
      expect(await running(made.host, seconds)).toBe('');
    });

    test('more than 16 MiB of output is a failure of `run`', async () => {
      await using made = await fixture();
      await expect(made.host.run({ program: 'yes', args: [] }, { signal: never() })).rejects.toMatchObject({
        code: 'ProcessFailed',
      });
      const most = { program: 'head', args: ['-c', `${16 * MEGABYTE}`, '/dev/zero'] };
      expect((await made.host.run(most, { signal: never() })).stdout).toHaveLength(16 * MEGABYTE);
    });

    test('the version of a program is the number that it prints', async () => {
      await using made = await fixture();
      const first = (await made.host.run({ program: 'tar', args: ['--version'] }, { signal: never() })).stdout;
      expect(first.split('\n')[0]?.endsWith(` ${await made.host.version('tar', never())}`)).toBe(true);
      await expect(made.host.version('no-such-program', never())).rejects.toMatchObject({ code: 'ToolMissing' });
      await expect(made.host.version('true', AbortSignal.abort('stopped'))).rejects.toBe('stopped');
    });
  });

  describe(`${name}: input`, () => {
    test('all of the input arrives', async () => {
      await using made = await fixture();
      async function* input(): Bytes {
        for (let count = 0; count < 300; count += 1) yield Buffer.alloc(100_000, count);
      }
      const target = `${made.folder}/fed`;
      const gzip = [{ program: 'gzip', args: ['-1'] }, shell(`gzip -d > ${target}`)];
      await made.host.feed(gzip, { signal: never(), input: input() });
      const { stdout } = await made.host.run({ program: 'sha256sum', args: [target] }, { signal: never() });
      const hash = createHash('sha256');
      for await (const chunk of input()) hash.update(chunk);
      expect(stdout.split(' ')[0]).toBe(hash.digest('hex'));
    });

    test('a program without input reads an empty stdin', async () => {
      await using made = await fixture();
      expect((await made.host.run({ program: 'cat', args: [] }, { signal: never() })).stdout).toBe('');
    });

    test('a member that ends before it read all is judged by its exit code, and the input is released', async () => {
      await using made = await fixture();
      let released = false;
      async function* input(): Bytes {
        try {
          yield* endless();
        } finally {
          released = true;
        }
      }
      const head = { program: 'head', args: ['-c', '10'] };
      expect((await collect(made.host.read([head], { signal: never(), input: input() }))).toString()).toBe(
        'xxxxxxxxxx',
      );
      expect(released).toBe(true);
      await expect(made.host.feed([shell('exit 7')], { signal: never(), input: endless() })).rejects.toThrow('with 7');
    });

    test('an input that throws ends the program before it could take what came for the whole', async () => {
      await using made = await fixture();
      async function* input(): Bytes {
        yield Buffer.from('half');
        throw new Error('the archive is damaged');
      }
      const load = shell(`cat > ${made.folder}/loaded; echo committed > ${made.folder}/committed`);
      const feeding = made.host.feed([load], { signal: never(), input: input() });
      await expect(feeding).rejects.toThrow('the archive is damaged');
      expect(await made.host.files.status(`${made.folder}/committed`, never())).toBeNull();
    });

    test('a program that ends does not wait for an input that never comes', async () => {
      await using made = await fixture();
      async function* input(): Bytes {
        yield Buffer.from('first');
        await new Promise(() => undefined);
      }
      await expect(made.host.feed([shell('exit 5')], { signal: never(), input: input() })).rejects.toThrow('with 5');
    });
  });

  describe(`${name}: endings`, () => {
    test('a limit ends a grandchild that holds stdout', async () => {
      await using made = await fixture();
      const seconds = uniqueSeconds();
      const daemon = shell(`sleep ${seconds} & echo begun`);
      const reading = collect(made.host.read([daemon], { signal: never(), limitMs: 300 }));
      await expect(reading).rejects.toMatchObject({ code: 'ProcessFailed', message: expect.stringContaining('0.3 s') });
      await until(made.host, seconds, 'gone');
    });

    test('an abort ends every member and rejects with the reason of the signal', async () => {
      await using made = await fixture();
      for (const start of [
        (options: { signal: AbortSignal }, idle: Command) => made.host.run(idle, options),
        (options: { signal: AbortSignal }, idle: Command) =>
          made.host.feed([idle, { program: 'cat', args: [] }], options),
        (options: { signal: AbortSignal }, idle: Command) =>
          collect(made.host.read([shell('echo; cat'), idle], options)),
        (options: { signal: AbortSignal }, idle: Command) => made.host.feed([idle], { ...options, input: endless() }),
      ]) {
        const seconds = uniqueSeconds();
        const stop = new AbortController();
        const ended = start({ signal: stop.signal }, shell(`sleep ${seconds} & wait`));
        const judged = expect(ended).rejects.toThrow('the caller stopped it');
        await until(made.host, seconds, 'running');
        stop.abort(new Error('the caller stopped it'));
        await judged;
        expect(await running(made.host, seconds)).toBe('');
      }
    });

    test('a signal that is aborted already starts nothing', async () => {
      await using made = await fixture();
      const touch = { program: 'touch', args: [`${made.folder}/touched`] };
      await expect(made.host.run(touch, { signal: AbortSignal.abort('stopped') })).rejects.toBe('stopped');
      expect(await made.host.files.status(`${made.folder}/touched`, never())).toBeNull();
    });

    test('a program that ignores TERM is killed, and its descendants too', async () => {
      await using made = await fixture();
      const seconds = uniqueSeconds();
      const stop = new AbortController();
      const stubborn = shell(`trap '' TERM; sleep ${seconds} & echo up; while :; do wait; done`);
      const reading = collect(made.host.read([stubborn], { signal: stop.signal }));
      const judged = expect(reading).rejects.toBe('stopped');
      await until(made.host, seconds, 'running');
      stop.abort('stopped');
      await judged;
      await until(made.host, seconds, 'gone');
    });

    test('leaving a stream early ends its programs', async () => {
      await using made = await fixture();
      const seconds = uniqueSeconds();
      for await (const chunk of made.host.read([shell(`echo begun; sleep ${seconds}`)], { signal: never() })) {
        expect(Buffer.from(chunk).toString()).toBe('begun\n');
        break;
      }
      expect(await running(made.host, seconds)).toBe('');
    });

    test('a listener that throws ends the program, and its error is the one that is told', async () => {
      await using made = await fixture();
      const seconds = uniqueSeconds();
      const onStderr = (): void => {
        throw new Error('the log is full');
      };
      const ended = made.host.run(shell(`echo line >&2; sleep ${seconds}`), { signal: never(), onStderr });
      await expect(ended).rejects.toThrow('the log is full');
      expect(await running(made.host, seconds)).toBe('');
    });
  });

  describe(`${name}: stderr and secrets`, () => {
    test('lines of stderr come as they are written, and only the last 16 KiB are kept', async () => {
      await using made = await fixture();
      let lines = 0;
      const onStderr = (): void => {
        lines += 1;
      };
      const ended = await made.host.run(shell('seq 1 200000 >&2; printf "no newline" >&2'), {
        signal: never(),
        onStderr,
      });
      expect(lines).toBe(200_001);
      expect(Buffer.byteLength(ended.stderrTail)).toBe(16 * 1024);
      expect(ended.stderrTail.endsWith('199999\n200000\nno newline')).toBe(true);
    });

    test('bytes of stderr that are not UTF-8 are shown as U+FFFD', async () => {
      await using made = await fixture();
      const ended = await made.host.run(shell("printf 'a\\377b\\n' >&2"), { signal: never() });
      expect(ended.stderrTail).toBe('a\uFFFDb\n');
    });

    test('a secret reaches its program and appears in no error, no line and no tail', async () => {
      await using made = await fixture();
      const value = `s3cret-${Math.random()}-ü`;
      const lines: string[] = [];
      const tails: string[] = [];
      const script = `
        printf '%s' "$PASSWORD" | sha256sum
        echo "login with $PASSWORD failed" >&2
        printf '%s' "\${PASSWORD%???????}" >&2; sleep 0.2; echo "\${PASSWORD#"\${PASSWORD%???????}"} in pieces" >&2
        head -c 50000 /dev/zero | tr '\\0' x >&2; printf '%s' "$PASSWORD" >&2; head -c 16000 /dev/zero | tr '\\0' y >&2
        printf '\\nbad password %s\\n' "$PASSWORD" >&2
        exit 9`;
      const options = {
        signal: never(),
        onStderr: (line: string) => void lines.push(line),
        onFinished: ({ stderrTail }: Finished) => void tails.push(stderrTail),
      };
      const environment = { PASSWORD: new Secret(value) };
      let printed = '';
      const reading = async (): Promise<void> => {
        for await (const chunk of made.host.read([{ ...shell(script), environment }], options))
          printed += Buffer.from(chunk).toString();
      };
      const error: unknown = await reading().catch((reason: unknown) => reason);
      expect(printed).toContain(createHash('sha256').update(value).digest('hex'));
      expect(error).toMatchObject({ code: 'ProcessFailed', message: expect.stringContaining('bad password ***') });
      const shown = [...lines, ...tails, String(error), String((error as Error).cause), JSON.stringify(error)].join(
        '\n',
      );
      expect(shown).toContain('login with *** failed');
      expect(shown).not.toContain(value);
      for (const piece of [value.slice(0, 12), value.slice(-8)]) expect(shown).not.toContain(piece);
    });
  });

  describe(`${name}: sessions`, () => {
    test('a program that is spoken to answers line by line, and ends well when all is said', async () => {
      await using made = await fixture();
      const echo = shell('while IFS= read -r line; do printf "heard %s\\n" "$line"; done; printf "last"');
      await using session = await made.host.session(echo, { signal: never() });
      await session.write('one\n');
      expect(await session.line()).toBe('heard one');
      await session.write('zwö\nthree\n');
      expect(await session.line()).toBe('heard zwö');
      expect(await session.line()).toBe('heard three');
      expect(await session.end()).toMatchObject({ program: 'sh', exitCode: 0 });
    });

    test('lines that came before the end are all told, then that it ended', async () => {
      await using made = await fixture();
      await using session = await made.host.session(shell('printf "a\\n\\nb"'), { signal: never() });
      expect([await session.line(), await session.line(), await session.line()]).toEqual(['a', '', 'b']);
      expect(await session.line()).toBeNull();
      expect(await session.end()).toMatchObject({ exitCode: 0 });
    });

    test('a program that fails in the middle of a talk is a failure, and what is said to it afterwards is lost', async () => {
      await using made = await fixture();
      const failing = shell('read -r line; echo "got $line"; echo "no such thing" >&2; exit 3');
      await using session = await made.host.session(failing, { signal: never() });
      await session.write('hello\n');
      expect(await session.line()).toBe('got hello');
      await expect(session.line()).rejects.toMatchObject({ message: 'sh ended with 3: no such thing' });
      await session.write('x'.repeat(MEGABYTE));
      await expect(session.end()).rejects.toMatchObject({ code: 'ProcessFailed' });
    });

    test('leaving a session ends its program, which never takes what it heard for the whole', async () => {
      await using made = await fixture();
      const seconds = uniqueSeconds();
      const script = `read -r line; echo ready; sleep ${seconds} & cat > /dev/null && echo whole > ${made.folder}/whole`;
      {
        await using session = await made.host.session(shell(script), { signal: never() });
        await session.write('half\nmore');
        expect(await session.line()).toBe('ready');
        await until(made.host, seconds, 'running');
      }
      await until(made.host, seconds, 'gone');
      expect(await made.host.files.status(`${made.folder}/whole`, never())).toBeNull();
    });

    test('an abort ends a session with the reason of its signal', async () => {
      await using made = await fixture();
      const [aborting, reason] = [new AbortController(), new Error('enough')];
      await using session = await made.host.session(shell('echo ready; cat'), { signal: aborting.signal });
      expect(await session.line()).toBe('ready');
      const waiting = session.line();
      aborting.abort(reason);
      await expect(waiting).rejects.toBe(reason);
    });

    test('a session with a program that is not there is ToolMissing', async () => {
      await using made = await fixture();
      const talk = async (): Promise<unknown> => {
        await using session = await made.host.session({ program: 'no-such-program', args: [] }, { signal: never() });
        return await session.line();
      };
      await expect(talk()).rejects.toMatchObject({ code: 'ToolMissing', subject: 'no-such-program' });
    });
  });

  test(`${name}: memory does not grow with the bytes that pass`, async () => {
    await using made = await fixture();
    /** The highest resident set in bytes while so many bytes pass to a reader that is busy when they begin to come. */
    async function peak(bytes: number): Promise<number> {
      let [highest, passed, sampled] = [0, 0, -1];
      const zeros = { program: 'head', args: ['-c', `${bytes}`, '/dev/zero'] };
      for await (const chunk of made.host.read([zeros, { program: 'cat', args: [] }], { signal: never() })) {
        if (passed === 0) await made.host.run({ program: 'sleep', args: ['1'] }, { signal: never() });
        passed += chunk.length;
        if (passed - sampled < 8 * MEGABYTE) continue;
        sampled = passed;
        highest = Math.max(highest, process.memoryUsage.rss());
      }
      expect(passed).toBe(bytes);
      return highest;
    }
    const little = await peak(128 * MEGABYTE);
    expect((await peak(512 * MEGABYTE)) - little).toBeLessThan(100 * MEGABYTE);
  });
}
