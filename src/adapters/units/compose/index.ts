import { ONE_OFF_LABEL, SERVICE_LABEL } from '../../../domain/compose-labels.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { inOrder, type Needs, neededBy } from '../../../domain/start-order.ts';
import { unitNameOf } from '../../../domain/unit-reference.ts';
import type { Host } from '../../../ports/host.ts';
import type { Images, Unit, UnitHealth, UnitReference, UnitState } from '../../../ports/unit.ts';
import type { EngineEnvironment } from '../../../process/container-engine.ts';
import { keptName } from '../engine/args.ts';
import { containerEngine } from '../engine/engine.ts';
import { giveNameBack, keepAll, releaseAll } from '../engine/images.ts';
import { type Container, downMsOf, imageOf, momentOf, nameOf, runs, stateOf } from '../engine/parse.ts';
import { madeOf, ofFile } from './made-of.ts';
import { imagesIn, parseNeeds } from './order.ts';
import { composeProject, type Project } from './project.ts';

type Reference = Extract<UnitReference, { readonly kind: 'compose' }>;

/** All containers of a Compose project that exist. Those of `compose run` are not part of it. */
export function composeUnit(reference: Reference, host: Host, environment: EngineEnvironment): Unit {
  const name = unitNameOf(reference);
  const engine = containerEngine(name, host, environment);
  const project = composeProject(name, reference.file, host, environment);
  /** Known once there is a container: Compose itself takes half a second for each answer. */
  let projectName: string | null = null;
  /** As the file says; asked for only where containers do not tell it. */
  let said: Needs = new Map();
  async function inspectAll(signal: AbortSignal): Promise<readonly Container[]> {
    await project.confirmFile(signal);
    if (projectName !== null) return engine.ofProject(projectName, signal);
    const named = await engine.inspect(await project.containerIds(signal), signal);
    const found = named.length > 0 ? named : ofFile(name, reference.file, await engine.ofProject(null, signal));
    const made = madeOf(found);
    if (made === null) return found;
    projectName = made.project;
    project.isMade(made);
    return engine.ofProject(projectName, signal);
  }
  const inspect = async (signal: AbortSignal): Promise<readonly Container[]> =>
    (await inspectAll(signal)).filter(isPart);
  /** Also where the file is gone, or no project any more: a command may have broken it, and whatever runs of it is to be
   *  stopped all the same when the data are taken back. Containers say what they were made of. */
  async function inspectWithoutFile(signal: AbortSignal): Promise<readonly Container[]> {
    try {
      return await inspect(signal);
    } catch (error) {
      if (!isOfFile(error)) throw error;
      const all = await engine.ofProject(projectName, signal);
      const found = (projectName === null ? ofFile(name, reference.file, all) : all).filter(isPart);
      const made = madeOf(found);
      if (made === null) throw error;
      projectName = made.project;
      project.isMade(made);
      return found;
    }
  }
  async function ordered(containers: readonly Container[], signal: AbortSignal): Promise<readonly Container[]> {
    const told: Needs = new Map(
      containers.flatMap((container) => {
        const needs = neededBy(container.Config.Labels ?? {});
        return needs === null ? [] : [[serviceOf(container), needs]];
      }),
    );
    const knows = (container: Container): boolean => [told, said].some((needs) => needs.has(serviceOf(container)));
    if (containers.length > 1 && !containers.every(knows)) said = await saidIn(project, signal);
    return inOrder(containers, serviceOf, new Map([...said, ...told]));
  }
  /** @returns why something stayed as it is, as without its image: it is started all the same */
  async function makeAsDeclared(
    members: readonly string[],
    madeAfter: Temporal.Instant,
    signal: AbortSignal,
  ): Promise<HoldfastError | null> {
    const later = (await inspectWithoutFile(signal)).filter(
      (container) =>
        members.includes(nameOf(container)) && (momentOf(container.Created) ?? 0) > madeAfter.epochMilliseconds,
    );
    if (later.length === 0) return null;
    try {
      const declared = parseNeeds(await project.config(signal));
      const services = new Set(later.map(serviceOf)).intersection(new Set(declared.keys()));
      await project.makeAsDeclared([...services], signal);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HoldfastError) return error;
      throw error;
    }
  }
  return {
    name,
    reference,
    tellsDowntime: true,
    downMs: async (members, signal) => downMsOf(await engine.inspect(members, signal)),
    state: async (signal) => stateOfAll(await inspect(signal)),
    running: async (signal) => (await inspectWithoutFile(signal)).filter(runs).map(nameOf),
    async stop(signal, spared = new Set()) {
      const running = (await inspectWithoutFile(signal)).filter(
        (container) => runs(container) && !spared.has(nameOf(container)),
      );
      for (const container of (await ordered(running, signal)).toReversed()) await engine.stop(container, signal);
    },
    async start(members, signal, madeAfter) {
      if (members === null) return project.up(signal);
      const notMade = madeAfter === undefined ? null : await makeAsDeclared(members, madeAfter, signal);
      const there = new Set((await inspectWithoutFile(signal)).map(nameOf));
      const gone = members.filter((member) => !there.has(member));
      if (gone.length > 0) await project.makeMissing(signal); // `compose down` removed them
      const anew = new Map(
        gone.length > 0 ? (await inspect(signal)).map(nameOf).map((name) => [spelled(name), name]) : [],
      );
      const names = members.map((member) => (there.has(member) ? member : (anew.get(spelled(member)) ?? member)));
      for (const container of await ordered(await engine.inspect(names, signal), signal))
        await engine.start(nameOf(container), signal);
      if (notMade !== null) throw notMade;
    },
    async health(signal) {
      const healths = (await inspect(signal)).filter(runs).map((container) => engine.health(container));
      return WORST_FIRST.find((health) => healths.includes(health)) ?? 'down';
    },
    async processes(signal) {
      const active = (await inspectWithoutFile(signal)).filter((container) => stateOf(container) === 'active');
      const lists = await Promise.all(active.map((container) => engine.processes(nameOf(container), signal)));
      return lists.flat();
    },
    images: async (signal) =>
      Object.fromEntries(
        (await inspectWithoutFile(signal)).map((container) => [
          nameOf(container),
          imageOf(container, serviceOf(container)),
        ]),
      ),
    async keepImages(label, images, signal) {
      await inspect(signal);
      await keepAll(engine, label, images, signal);
    },
    releaseImages: (label, signal) => releaseAll(engine, label, signal), // the project may be gone by then
    async takeImagesBack(label, images, signal, madeAfter) {
      const notMade = madeAfter === undefined ? null : await makeAsDeclared(Object.keys(images), madeAfter, signal);
      await takeBack(label, images, signal);
      if (notMade !== null) throw notMade;
    },
    async starters(signal) {
      await inspectWithoutFile(signal);
      return [];
    },
  };
  async function takeBack(label: string, images: Images, signal: AbortSignal): Promise<void> {
    const now = new Map(
      (await inspect(signal)).map((container) => [nameOf(container), imageOf(container, '').identity]),
    );
    const other = Object.entries(images).filter(([container, { identity }]) => now.get(container) !== identity);
    if (other.length === 0) return;
    const wanted = new Map(other.map(([, image]) => [image.member, image]));
    const named = imagesIn(await project.config(signal));
    const override = new Map<string, string>();
    for (const [service, image] of wanted) {
      const back = await giveNameBack(engine, image, signal);
      // a file that was changed names another image by now; Compose names what it built by the service
      if (!back || (named.get(service) ?? image.reference) !== image.reference)
        override.set(service, keptName(label, image.identity));
    }
    await project.makeAnew([...wanted.keys()], override, signal);
  }
}

/** Compose 1 calls `wiki_web_1` what Compose 2 calls `wiki-web-1`, and the one makes anew what the other made. */
const spelled = (container: string): string => container.replaceAll('_', '-');

const isPart = ({ Config }: Container): boolean => Config.Labels?.[ONE_OFF_LABEL]?.toLowerCase() !== 'true';

const isOfFile = (error: unknown): boolean =>
  error instanceof HoldfastError && (error.code === 'UnitMissing' || error.code === 'ProcessFailed');

/** Nothing where the file does not tell it any more. */
async function saidIn(project: Project, signal: AbortSignal): Promise<Needs> {
  try {
    return parseNeeds(await project.config(signal));
  } catch (error) {
    if (isOfFile(error)) return new Map();
    throw error;
  }
}

const serviceOf = ({ Config }: Container): string => Config.Labels?.[SERVICE_LABEL] ?? '';

const WORST_FIRST: readonly UnitHealth[] = ['restarting', 'unhealthy', 'starting', 'undeclared', 'healthy'];
const MOST_ALIVE_FIRST: readonly UnitState[] = ['active', 'starting', 'stopping', 'failed'];

function stateOfAll(containers: readonly Container[]): UnitState {
  const states = containers.map(stateOf);
  return MOST_ALIVE_FIRST.find((state) => states.includes(state)) ?? 'inactive';
}
