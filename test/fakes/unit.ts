import { HoldfastError } from '../../src/domain/errors.ts';
import { unitNameOf } from '../../src/domain/unit-reference.ts';
import type { Images, Unit, UnitHealth, UnitReference, UnitState } from '../../src/ports/unit.ts';

type Method = Exclude<keyof Unit, 'name' | 'reference' | 'tellsDowntime' | 'downMs'>;

/** A unit in memory. The suite of test/contracts/unit.ts runs against it, too. */
export interface MemoryUnit extends Unit {
  tellsDowntime: boolean;
  /** Its members and whether each one runs. */
  readonly members: Map<string, boolean>;
  /** Calls that changed something, in order: `stop`, `start a,b`. Shared by units that were given one list. */
  readonly calls: string[];
  /** What `health` answers while it runs. */
  healthNow: Exclude<UnitHealth, 'down'>;
  /** What `state` answers in place of what the members say. */
  stateNow: UnitState | null;
  /** What it answers to `downMs`. */
  downNow: number | null;
  /** What it answers to `starters`. */
  startedBy: readonly string[];
  imagesNow: Images;
  /** What is kept, by label. */
  readonly kept: Map<string, Images>;
  processesNow: readonly number[];
  /** Called before each of these; what it throws, the call throws, and nothing is changed. */
  before: (method: Method) => void | Promise<void>;
}

export interface MemoryUnitOptions {
  readonly reference?: UnitReference;
  /** One that runs, when left out. */
  readonly members?: Readonly<Record<string, boolean>>;
  readonly calls?: string[];
  /** There is no such unit: every call throws UnitMissing. */
  readonly missing?: boolean;
}

const aReference: UnitReference = { kind: 'systemd', host: 'local', unit: 'mealie.service', user: null };

export function memoryUnit(options: MemoryUnitOptions = {}): MemoryUnit {
  const { reference = aReference, members, calls = [], missing = false } = options;
  const name = unitNameOf(reference);
  const own = new Map(Object.entries(members ?? { [name]: true }));
  const runs = (): boolean => [...own.values()].some((running) => running);
  const asked = async (method: Method, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (missing) throw new HoldfastError('UnitMissing', `There is no ${name}.`, name);
    await unit.before(method);
  };
  const unit: MemoryUnit = {
    ...{ name, reference, members: own, calls },
    ...{ healthNow: 'healthy', stateNow: null, startedBy: [], imagesNow: {}, processesNow: [] },
    ...{ kept: new Map(), tellsDowntime: false, downNow: null },
    downMs: async () => unit.downNow,
    before: () => {},
    async state(signal) {
      await asked('state', signal);
      return unit.stateNow ?? (runs() ? 'active' : 'inactive');
    },
    async running(signal) {
      await asked('running', signal);
      return [...own].filter(([, running]) => running).map(([member]) => member);
    },
    async stop(signal, spared = new Set()) {
      await asked('stop', signal);
      calls.push(spared.size === 0 ? `stop ${name}` : `stop ${name} but ${[...spared].join(',')}`);
      for (const member of own.keys()) if (!spared.has(member)) own.set(member, false);
    },
    async start(wanted, signal, madeAfter) {
      await asked('start', signal);
      const unknown = wanted?.find((member) => !own.has(member));
      if (unknown !== undefined) throw new HoldfastError('UnitMissing', `${name} has no ${unknown}.`, name);
      const since = madeAfter === undefined ? '' : `, made after ${madeAfter}`;
      calls.push(wanted === null ? `start ${name}` : `start ${name}: ${wanted.join(',')}${since}`);
      for (const member of wanted ?? own.keys()) own.set(member, true);
    },
    async health(signal) {
      await asked('health', signal);
      return runs() ? unit.healthNow : 'down';
    },
    async processes(signal) {
      await asked('processes', signal);
      return runs() ? unit.processesNow : [];
    },
    async images(signal) {
      await asked('images', signal);
      return unit.imagesNow;
    },
    async keepImages(label, images, signal) {
      await asked('keepImages', signal);
      unit.kept.set(label, { ...unit.kept.get(label), ...images });
    },
    async releaseImages(label, signal) {
      signal.throwIfAborted();
      await unit.before('releaseImages');
      unit.kept.delete(label);
    },
    async takeImagesBack(label, images, signal) {
      await asked('takeImagesBack', signal);
      const kept = unit.kept.get(label) ?? {};
      for (const [container, image] of Object.entries(images)) {
        if (unit.imagesNow[container]?.identity === image.identity) continue;
        if (kept[container]?.identity !== image.identity)
          throw new HoldfastError('UnitFailed', `${name} has no image ${image.identity}.`, name);
        calls.push(`make ${container} anew`);
        unit.imagesNow = { ...unit.imagesNow, [container]: image };
        own.set(container, false);
      }
    },
    async starters(signal) {
      await asked('starters', signal);
      return unit.startedBy;
    },
  };
  return unit;
}

/** Opens units by the names of their references, as operations and the journal ask for them. */
export const openFrom =
  (units: ReadonlyMap<string, MemoryUnit>) =>
  async (reference: UnitReference): Promise<MemoryUnit> => {
    const name = unitNameOf(reference);
    const unit = units.get(name);
    if (unit === undefined) throw new HoldfastError('UnitMissing', `There is no ${name}.`, name);
    return unit;
  };
