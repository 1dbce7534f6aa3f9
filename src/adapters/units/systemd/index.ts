import { HoldfastError } from '../../../domain/errors.ts';
import { systemctlCommand, unitNameOf } from '../../../domain/unit-reference.ts';
import type { Finished, Host } from '../../../ports/host.ts';
import type { Unit, UnitReference } from '../../../ports/unit.ts';
import * as args from './args.ts';
import { healthOf, parseShown, restartsOf, type Shown, stateOf, words } from './parse.ts';

/** systemd itself ends what does not stop after 90 s, unless the unit says otherwise. */
const STOP_LIMIT_MS = 10 * 60_000;
const LOOK_LIMIT_MS = 60_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

type Reference = Extract<UnitReference, { readonly kind: 'systemd' }>;

/** A unit of a systemd manager of the host: the system's, or that of an account. */
export function systemdUnit(reference: Reference, host: Host): Unit {
  const name = unitNameOf(reference);
  let manager: Promise<Manager> | null = null;
  /** How often it had been started again by itself when `health` looked last. */
  let restarts: number | null = null;

  async function systemctl(argv: readonly string[], signal: AbortSignal, limitMs: number): Promise<Ended> {
    signal.throwIfAborted();
    manager ??= managerOf(reference.user, host, signal);
    manager.catch(() => {
      manager = null;
    });
    const { prefix, ...how } = await manager;
    const command = { program: 'systemctl', args: [...prefix, ...argv], ...how };
    return await host.run(command, { signal, limitMs, accept: ANY_CODE });
  }
  async function showAll(units: readonly string[], signal: AbortSignal): Promise<readonly Shown[]> {
    if (units.length === 0) return [];
    const ended = await systemctl(args.show(units), signal, LOOK_LIMIT_MS);
    if (ended.exitCode !== 0) throw notAnswered(name, reference.user, ended);
    return parseShown(ended.stdout);
  }
  async function show(signal: AbortSignal): Promise<Shown> {
    const [shown] = await showAll([reference.unit], signal);
    if (shown === undefined || shown.LoadState === 'not-found' || shown.LoadState === 'bad-setting')
      throw new HoldfastError('UnitMissing', `systemd has no usable unit ${name}.`, name, {
        hint: `See what systemd says of it: ${systemctlCommand('status', reference)}`,
      });
    return shown;
  }
  /** It and all that systemd stops together with it, as far as they run. */
  async function running(signal: AbortSignal): Promise<readonly string[]> {
    const found = new Map<string, Shown>();
    let next: readonly Shown[] = [await show(signal)];
    while (next.length > 0) {
      for (const shown of next) found.set(shown.Id, shown);
      const with_ = next.flatMap(stoppedWith).filter((unit) => !found.has(unit));
      next = await showAll([...new Set(with_)], signal);
    }
    return [...found.values()].filter(runs).map(({ Id }) => Id);
  }
  async function startAll(units: readonly string[], signal: AbortSignal): Promise<void> {
    // Of one that failed before, systemd keeps the first reason, and a start that is refused for its number looks like it.
    const failedBefore = (await showAll(units, signal)).filter((shown) => stateOf(shown) === 'failed');
    if (failedBefore.length > 0)
      await systemctl(args.resetFailed(failedBefore.map(({ Id }) => Id)), signal, LOOK_LIMIT_MS);
    let ended = await systemctl(args.start(units), signal, STOP_LIMIT_MS);
    const after = await showAll(units, signal);
    if (after.some(({ Result }) => Result === 'start-limit-hit')) {
      // It was started too often of late, which is no reason to leave it down.
      await systemctl(args.resetFailed(units), signal, LOOK_LIMIT_MS);
      ended = await systemctl(args.start(units), signal, STOP_LIMIT_MS);
    }
    const failed = (await showAll(units, signal)).filter((shown) => stateOf(shown) === 'failed');
    if (ended.exitCode === 0 && failed.length === 0) return;
    throw notStarted(failed.map(({ Id }) => Id).join(', ') || name, reference, ended);
  }
  return {
    name,
    reference,
    tellsDowntime: false,
    downMs: async () => null,
    running,
    state: async (signal) => stateOf(await show(signal)),
    async stop(signal, spared = new Set()) {
      const together = spared.size === 0 ? [] : await running(signal);
      const goesOn = together.some((member) => spared.has(member));
      const stopping = goesOn ? together.filter((member) => !spared.has(member)) : [reference.unit];
      await show(signal);
      if (stopping.length === 0) return;
      const ended = await systemctl(args.stop(stopping), signal, STOP_LIMIT_MS);
      const up = (await showAll(stopping, signal)).find((shown) => !['inactive', 'failed'].includes(stateOf(shown)));
      if (ended.exitCode === 0 && up === undefined) return;
      const { Id, ActiveState, SubState } = up ?? (await show(signal));
      const words = `${Id} could not be stopped: it is ${ActiveState} (${SubState}).`;
      throw new HoldfastError('UnitFailed', words, name, {
        hint: `Look at its log: ${logOf(reference)}`,
        cause: new Error(ended.stderrTail),
      });
    },
    async start(members, signal) {
      await show(signal);
      if (members?.length === 0) return;
      await startAll(members ?? [reference.unit], signal);
    },
    async health(signal) {
      const shown = await show(signal);
      const health = healthOf(shown, restarts);
      restarts = restartsOf(shown);
      return health;
    },
    async processes(signal) {
      const { ControlGroup } = await show(signal);
      if (ControlGroup === '') return [];
      const options = { signal, limitMs: LOOK_LIMIT_MS, accept: [0, 1] };
      const { stdout } = await host.run({ program: 'find', args: args.processes(ControlGroup) }, options);
      return [...new Set(stdout.split('\n').filter((line) => line !== ''))].map(Number);
    },
    async images(signal) {
      await show(signal);
      return {};
    },
    keepImages: async (_label, _images, signal) => void (await show(signal)),
    releaseImages: async (_label, signal) => signal.throwIfAborted(),
    takeImagesBack: async (_label, _images, signal) => void (await show(signal)),
    async starters(signal) {
      const triggers = await showAll(words((await show(signal)).TriggeredBy), signal);
      return triggers.filter(runs).map(({ Id }) => Id);
    },
  };
}

type Ended = Finished & { readonly stdout: string };

/** How one manager is spoken to. */
interface Manager {
  readonly prefix: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly runAs?: string;
}

/** The manager of an account listens in the account's runtime folder, which pam_systemd(8) makes. */
async function managerOf(user: Reference['user'], host: Host, signal: AbortSignal): Promise<Manager> {
  if (user === null) return { prefix: ['--system'] };
  const id = { program: 'id', args: user === true ? ['-u'] : ['-u', '--', user] };
  const { exitCode, stdout } = await host.run(id, { signal, limitMs: LOOK_LIMIT_MS, accept: [0, 1] });
  if (exitCode !== 0)
    throw new HoldfastError('ConfigurationInvalid', `There is no account "${user}" on ${host.name}.`, `${user}`);
  const environment = { XDG_RUNTIME_DIR: `/run/user/${stdout.trim()}` };
  return { prefix: ['--user'], environment, ...(user === true ? {} : { runAs: user }) };
}

const runs = (shown: Shown): boolean => ['active', 'starting'].includes(stateOf(shown));

/** systemd.unit(5): Requires=, BindsTo=, PartOf= and Requisite= of others stop them, too. Targets are only names for
 *  groups, and starting one again would start all of its group. */
const stoppedWith = ({ RequiredBy, BoundBy, ConsistsOf, RequisiteOf }: Shown): readonly string[] =>
  [RequiredBy, BoundBy, ConsistsOf, RequisiteOf].flatMap(words).filter((unit) => !/\.(target|slice|scope)$/.test(unit));

const logOf = ({ unit, user }: Reference): string =>
  user === null ? `journalctl -u ${unit}` : `journalctl --user -u ${unit}`;

function notAnswered(unit: string, user: Reference['user'], { exitCode, stderrTail }: Ended): HoldfastError {
  const manager = user === null ? 'systemd' : `the systemd manager of ${user === true ? 'this account' : user}`;
  const words = `${manager} could not be asked about ${unit} (${exitCode}): ${stderrTail.trim()}`;
  if (user === null) return new HoldfastError('ProcessFailed', words, unit);
  const hint = `Look whether it runs; it does without a login after: loginctl enable-linger ${user === true ? '' : user}`;
  return new HoldfastError('ProcessFailed', words, unit, { hint: hint.trimEnd() });
}

function notStarted(units: string, reference: Reference, { stderrTail }: Ended): HoldfastError {
  const [why] = stderrTail.trim().split('\n');
  const message = `${units} could not be started${why ? `: ${why}` : '.'}`;
  const hint = `Look at its log: ${logOf(reference)}`;
  return new HoldfastError('UnitFailed', message, unitNameOf(reference), { hint, cause: new Error(stderrTail) });
}
