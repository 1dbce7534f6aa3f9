import { basename, dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Finished, Host } from '../../../ports/host.ts';
import { type EngineEnvironment, engineProblem } from '../../../process/container-engine.ts';
import { writeText } from '../../../process/write-text.ts';
import type { Made } from './made-of.ts';

const LIMIT_MS = 10 * 60_000;
const LOOK_LIMIT_MS = 60_000;

/** `docker compose`, `docker-compose` of old, or `podman compose`, over one compose file. */
export interface Project {
  /** Told once there is a container: from then on that project is meant, of the files that it was made of. */
  isMade(made: Made): void;
  /** @throws UnitMissing when there is no compose file */
  confirmFile(signal: AbortSignal): Promise<void>;
  /** Every container of the project that exists, by its id; also those of `run`. @throws UnitMissing, ProcessFailed */
  containerIds(signal: AbortSignal): Promise<readonly string[]>;
  /** The whole project as YAML, merged and with its variables filled in. It may hold secrets. */
  config(signal: AbortSignal): Promise<string>;
  /** Makes what is missing and starts all; what is there is not made anew. @throws UnitFailed */
  up(signal: AbortSignal): Promise<void>;
  /** Makes what is missing and starts nothing; what is there is not made anew. @throws UnitFailed */
  makeMissing(signal: AbortSignal): Promise<void>;
  /** Makes the containers of these services anew that the file describes otherwise now, and starts nothing.
   *  @throws UnitFailed */
  makeAsDeclared(services: readonly string[], signal: AbortSignal): Promise<void>;
  /** Makes the containers of these services anew, of these images where one is named, and does not start them.
   *  @throws UnitFailed */
  makeAnew(services: readonly string[], images: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
}

/** @param file absolute path on the host */
export function composeProject(name: string, file: string, host: Host, environment: EngineEnvironment): Project {
  let chosen: readonly [string, ...string[]] | null = null;
  let made: Made | null = null;
  /** Those that the project was made of where there were several: one alone says nothing of an override that was written
   *  since. What {@link writeOverride} made for one call is gone. */
  async function filesNow(signal: AbortSignal): Promise<readonly string[]> {
    const own = await filesOf(name, file, host, signal);
    if (!made?.files?.includes(file)) return own;
    const there = await Promise.all(made.files.map(async (one) => (await host.files.status(one, signal)) !== null));
    const files = made.files.filter((_, index) => there[index]);
    return files.length > 1 ? files : own;
  }
  async function compose(
    argv: readonly string[],
    signal: AbortSignal,
    { limitMs = LOOK_LIMIT_MS, more = [] }: { readonly limitMs?: number; readonly more?: readonly string[] } = {},
  ): Promise<Finished & { readonly stdout: string }> {
    signal.throwIfAborted();
    const files = [...(await filesNow(signal)), ...more];
    chosen ??= await composeProgram(host, environment, signal);
    const [program, ...words] = chosen;
    const named = made === null ? [] : ['--project-name', made.project];
    const args = [...words, ...named, ...files.flatMap((each) => ['--file', each]), ...argv];
    const options = { signal, limitMs, accept: Array.from({ length: 128 }, (_, code) => code) };
    const ended = await host.run({ program, args, environment, workingFolder: dirname(file) }, options);
    const problem = ended.exitCode === 0 ? null : engineProblem(program, ended.stderrTail);
    if (problem !== null) throw problem;
    return ended;
  }
  async function look(argv: readonly string[], signal: AbortSignal): Promise<string> {
    const { exitCode, stderrTail, stdout } = await compose(argv, signal);
    if (exitCode === 0) return stdout;
    throw new HoldfastError('ProcessFailed', `${name} cannot be read: ${stderrTail.trim()}`, name, {
      hint: `See what Compose says of it: docker compose --file ${file} config`,
    });
  }
  async function makeServices(
    [first, ...others]: readonly string[],
    options: readonly string[],
    signal: AbortSignal,
    more: readonly string[] = [],
  ): Promise<void> {
    if (first === undefined) return;
    const words = ['up', '--no-start', '--no-deps', '--no-build', ...options, first, ...others];
    const { exitCode, stderrTail } = await compose(words, signal, { limitMs: LIMIT_MS, more });
    if (exitCode === 0) return;
    const what = [first, ...others].join(', ');
    throw new HoldfastError('UnitFailed', `${name}: ${what} could not be made anew: ${stderrTail.trim()}`, name);
  }
  async function make(what: string, options: readonly string[], signal: AbortSignal): Promise<void> {
    const words = ['up', ...options, '--no-recreate', '--no-build'];
    const { exitCode, stderrTail } = await compose(words, signal, { limitMs: LIMIT_MS });
    if (exitCode === 0) return;
    throw new HoldfastError('UnitFailed', `${name} could not be ${what}: ${stderrTail.trim()}`, name, {
      hint: `Look at its logs: docker compose --file ${file} logs`,
    });
  }
  return {
    isMade(told) {
      made = told;
    },
    confirmFile: async (signal) => void (await filesOf(name, file, host, signal)),
    containerIds: async (signal) =>
      (await look(['ps', '--all', '--quiet'], signal)).split('\n').filter((id) => id !== ''),
    config: (signal) => look(['config'], signal),
    up: (signal) => make('started', ['--detach'], signal),
    makeMissing: (signal) => make('made', ['--no-start'], signal),
    makeAsDeclared: (services, signal) => makeServices(services, [], signal),
    async makeAnew(services, images, signal) {
      await using override = images.size === 0 ? null : await writeOverride(images, signal);
      await makeServices(services, ['--force-recreate'], signal, override === null ? [] : [override.path]);
    },
  };

  /** A file that says other images than the project's own, for one call. */
  async function writeOverride(
    images: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<AsyncDisposable & { readonly path: string }> {
    const { version }: { readonly version?: string } = parse(await look(['config'], signal)) ?? {};
    const services = Object.fromEntries([...images].map(([service, image]) => [service, { image }]));
    // docker-compose of old takes no file of another version beside its own
    const text = stringify({ ...(version === undefined ? {} : { version }), services });
    const path = (await host.run({ program: 'mktemp', args: ['--tmpdir', 'holdfast-XXXXXXXX.yaml'] }, { signal }))
      .stdout;
    const written = path.trim();
    await writeText(written, text, host, signal);
    return {
      path: written,
      [Symbol.asyncDispose]: () => host.files.remove(written, AbortSignal.timeout(LOOK_LIMIT_MS)),
    };
  }
}

/** Compose merges `….override.yaml` by itself only when no file is named. @throws UnitMissing */
async function filesOf(name: string, file: string, { files }: Host, signal: AbortSignal): Promise<readonly string[]> {
  if ((await files.status(file, signal)) === null)
    throw new HoldfastError('UnitMissing', `There is no compose file ${file}.`, name);
  const stem = /^(compose|docker-compose)\.ya?ml$/.exec(basename(file))?.[1];
  if (stem === undefined) return [file];
  for (const end of ['yaml', 'yml']) {
    const override = join(dirname(file), `${stem}.override.${end}`);
    if ((await files.status(override, signal)) !== null) return [file, override];
  }
  return [file];
}

const PROGRAMS = [['docker', 'compose'], ['docker-compose'], ['podman', 'compose']] as const;

/** The first that answers: a client without the plugin is there and knows no `compose`. @throws ToolMissing */
async function composeProgram(
  host: Host,
  environment: EngineEnvironment,
  signal: AbortSignal,
): Promise<readonly [string, ...string[]]> {
  for (const [program, ...words] of PROGRAMS) {
    const accept = Array.from({ length: 128 }, (_, code) => code);
    const options = { signal, limitMs: LOOK_LIMIT_MS, accept };
    try {
      const args = [...words, 'version'];
      if ((await host.run({ program, args, environment }, options)).exitCode === 0) return [program, ...words];
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'ToolMissing')) throw error;
    }
  }
  const message = `Neither docker compose nor docker-compose is installed on host ${host.name}.`;
  throw new HoldfastError('ToolMissing', message, 'docker compose');
}
