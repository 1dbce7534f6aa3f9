import { setTimeout as sleep } from 'node:timers/promises';
import { PROJECT_LABEL, SERVICE_LABEL } from '../../../domain/compose-labels.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { neededBy } from '../../../domain/start-order.ts';
import type { Command, Finished, Host } from '../../../ports/host.ts';
import type { UnitHealth } from '../../../ports/unit.ts';
import {
  type EngineEnvironment,
  engineProblem,
  engineProgram,
  saysNoContainer,
} from '../../../process/container-engine.ts';
import * as args from './args.ts';
import { type Container, healthOf, nameOf, parseContainers, startedShortlyBefore, stateOf } from './parse.ts';

/** How long a container may take to end before it is killed, where it says nothing itself. The engine's own 10 s are
 *  little for a database. */
const GRACE_SECONDS = 60;
const LOOK_LIMIT_MS = 60_000;
const START_LIMIT_MS = 5 * 60_000;
/** How long what a container needs may be starting, when it ended without it. */
const NEEDS_LIMIT_MS = 2 * 60_000;
const LOOK_AGAIN_MS = 250;

type Ended = Finished & { readonly stdout: string };

/** What units do with containers, through the client of the host's engine. `subject` is the unit that errors name. */
export interface Engine {
  /** @throws UnitMissing when one of them is not there */
  inspect(names: readonly string[], signal: AbortSignal): Promise<readonly Container[]>;
  /** @param known its name or identity
   *  @param name by which errors call it
   *  @throws UnitFailed when it does not start, or ended with an error when it is looked at, also once what it needs in its
   *  Compose project has started */
  start(known: string, signal: AbortSignal, name?: string): Promise<void>;
  /** By its name, all projects' when null; also containers of services that its compose file no longer has. */
  ofProject(project: string | null, signal: AbortSignal): Promise<readonly Container[]>;
  /** TERM, or what the container says in its place; KILL when its time is over. @throws UnitFailed */
  stop(container: Container, signal: AbortSignal): Promise<void>;
  /** Of one that runs. */
  processes(name: string, signal: AbortSignal): Promise<readonly number[]>;
  /** As {@link healthOf}; it remembers how often the container had been started again. */
  health(container: Container): UnitHealth;
  program(signal: AbortSignal): Promise<'docker' | 'podman'>;
  /** Gives an image one more name; one that has another image is taken from it. @throws UnitFailed */
  tag(identity: string, name: string, signal: AbortSignal): Promise<void>;
  /** @throws UnitFailed when a container needs it */
  untag(name: string, signal: AbortSignal): Promise<void>;
  /** Of the image that has this name; null when none has it. */
  identityOf(name: string, signal: AbortSignal): Promise<string | null>;
  /** The names that images are kept by under a label. */
  keptUnder(label: string, signal: AbortSignal): Promise<readonly string[]>;
}

export function containerEngine(subject: string, host: Host, environment: EngineEnvironment): Engine {
  let chosen: 'docker' | 'podman' | null = null;
  const restarts = new Map<string, number>();
  async function program(signal: AbortSignal): Promise<'docker' | 'podman'> {
    signal.throwIfAborted();
    chosen ??= await engineProgram(host, signal);
    return chosen;
  }
  async function ask(argv: readonly string[], signal: AbortSignal, limitMs: number): Promise<Ended> {
    const command: Command = { program: await program(signal), args: argv, environment };
    const ended = await host.run(command, { signal, limitMs, accept: [0, 1, 125, 126, 127] });
    const problem = ended.exitCode === 0 ? null : engineProblem(ended.program, ended.stderrTail);
    if (problem !== null) throw problem;
    if (ended.exitCode !== 0 && saysNoContainer(ended.stderrTail)) throw missing(subject, ended.stderrTail);
    return ended;
  }
  async function inspect(names: readonly string[], signal: AbortSignal): Promise<readonly Container[]> {
    signal.throwIfAborted();
    if (names.length === 0) return [];
    const ended = await ask(args.inspect(names), signal, LOOK_LIMIT_MS);
    if (ended.exitCode !== 0) throw failed(subject, 'could not be looked at', ended.stderrTail);
    return parseContainers(ended.stdout);
  }
  async function ofProject(project: string | null, signal: AbortSignal): Promise<readonly Container[]> {
    const ended = await ask(args.ofProject(project), signal, LOOK_LIMIT_MS);
    if (ended.exitCode !== 0) throw failed(subject, 'could not be looked at', ended.stderrTail);
    return inspect(
      ended.stdout.split('\n').filter((id) => id !== ''),
      signal,
    );
  }
  /** The container when it ended with an error right away. */
  async function startOnce(known: string, signal: AbortSignal, name: string): Promise<Container | null> {
    const ended = await ask(args.start(known), signal, START_LIMIT_MS);
    if (ended.exitCode !== 0) throw failed(subject, `could not be started (${name})`, ended.stderrTail);
    const [found] = await inspect([known], signal);
    return found?.State.Status === 'exited' && found.State.ExitCode !== 0 ? found : null;
  }
  /** Whether what the container needs in its project may still have been starting when it ended, and is not any more. */
  async function waitForNeeds(fallen: Container, signal: AbortSignal): Promise<boolean> {
    const { Config } = fallen;
    const needs = neededBy(Config.Labels ?? {});
    const project = Config.Labels?.[PROJECT_LABEL];
    if (project === undefined || needs === null || needs.size === 0) return false;
    const deadline = performance.now() + NEEDS_LIMIT_MS;
    for (let looks = 0; ; looks++) {
      const members = await ofProject(project, signal);
      const needed = members.filter((one) => needs.has(one.Config.Labels?.[SERVICE_LABEL] ?? ''));
      // One that was starting then may be healthy by now.
      if (!needed.some((one) => healthOf(one, null) === 'starting'))
        return looks > 0 || needed.some((one) => startedShortlyBefore(one, fallen, NEEDS_LIMIT_MS));
      if (performance.now() > deadline) return false;
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  }
  return {
    inspect,
    program,
    ofProject,
    async start(known, signal, name = known) {
      let fallen = await startOnce(known, signal, name);
      if (fallen !== null && (await waitForNeeds(fallen, signal))) fallen = await startOnce(known, signal, name);
      if (fallen === null) return;
      const { ExitCode, Error: why } = fallen.State;
      throw failed(subject, `ended with ${ExitCode} when it was started (${name})`, why);
    },
    async stop(container, signal) {
      const grace = container.Config.StopTimeout ?? GRACE_SECONDS;
      const ended = await ask(args.stop(nameOf(container), grace), signal, (grace + 60) * 1000);
      if (ended.exitCode !== 0) throw failed(subject, `could not be stopped (${nameOf(container)})`, ended.stderrTail);
    },
    async processes(name, signal) {
      const ended = await ask(args.top(await program(signal), name), signal, LOOK_LIMIT_MS);
      // It may have ended since it was seen to run.
      return ended.exitCode === 0
        ? ended.stdout
            .split('\n')
            .map(Number)
            .filter((pid) => pid > 0)
        : [];
    },
    async tag(identity, name, signal) {
      const ended = await ask(args.tag(identity, name), signal, LOOK_LIMIT_MS);
      if (ended.exitCode !== 0) throw failed(subject, `has an image that cannot be named ${name}`, ended.stderrTail);
    },
    async untag(name, signal) {
      const ended = await ask(args.untag(name), signal, LOOK_LIMIT_MS);
      if (ended.exitCode !== 0) throw failed(subject, `needs the image ${name}`, ended.stderrTail);
    },
    async identityOf(name, signal) {
      const ended = await ask(args.identityOf(name), signal, LOOK_LIMIT_MS);
      const identity = ended.stdout.trim();
      if (ended.exitCode !== 0) return null;
      return identity.startsWith('sha256:') ? identity : `sha256:${identity}`;
    },
    async keptUnder(label, signal) {
      const ended = await ask(args.keptUnder(label), signal, LOOK_LIMIT_MS);
      if (ended.exitCode !== 0) throw failed(subject, 'has images that could not be listed', ended.stderrTail);
      // podman also prints the other names of an image that the filter found
      const own = args.keptName(label, '');
      return ended.stdout.split('\n').filter((line) => line.replace(/^localhost\//, '').startsWith(own));
    },
    health(container) {
      const health = healthOf(container, restarts.get(container.Id) ?? null);
      if (stateOf(container) === 'active') restarts.set(container.Id, container.RestartCount);
      return health;
    },
  };
}

/** @param stderr of which the first line says it, in the engine's words; the rest says that the command failed */
function missing(subject: string, stderr: string): HoldfastError {
  const [told = ''] = stderr.trim().split('\n');
  const words = `The engine does not know ${subject}: ${told.replace('Error response from daemon: ', '')}.`;
  return new HoldfastError('UnitMissing', words, subject, { hint: 'See the containers with: docker ps --all' });
}

const failed = (subject: string, what: string, why: string): HoldfastError =>
  new HoldfastError('UnitFailed', `${subject} ${what}${why.trim() === '' ? '.' : `: ${why.trim()}`}`, subject, {
    hint: 'Look at its log: docker logs CONTAINER',
  });
