import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { OpenScratch, ScratchPlace } from '../../../ports/scratch.ts';
import type { EngineEnvironment } from '../../../process/container-engine.ts';
import { type EngineClient, engineClient, engineRefused } from '../../../process/engine-client.ts';
import { endMarked, markedHost } from '../../../process/marked.ts';
import { dockerHost } from './index.ts';
import * as args from './scratch-args.ts';

const LOOK_LIMIT_MS = 30_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);
/** Milliseconds in which an engine makes a container whose client was ended meanwhile. */
const LATE_MS = 5000;
const LOOK_AGAIN_MS = 100;

/** Opens an instance in a container of its own, of the image of the one that is dumped: the same server with the same
 *  extensions. It has no network and no volume but the drill's folder. Where there is no such container any more, or this
 *  account is not root and could not remove what others write in the folder, the programs of this machine are used.
 *  @param live the container that is dumped: it is looked at, and not entered */
export const inContainer =
  (open: OpenScratch, live: string, local: Host, environment: EngineEnvironment): OpenScratch =>
  async (source, items, place, signal) => {
    const engine = engineClient(local, environment);
    const image = process.geteuid?.() === 0 ? await imageOf(live, engine, signal) : null;
    if (image === null) return await open(source, items, place, signal);
    await start(image.id, place, local, environment, signal);
    const host = place.mark(await dockerHost(place.name, local, environment, signal));
    const scratch = await open(source, items, insideOf(host, place), signal);
    return { ...scratch, tool: { ...scratch.tool, name: `${scratch.tool.name} (image ${image.name})` } };
  };

interface Image {
  readonly id: string;
  /** As the live container was made with it. */
  readonly name: string;
}

/** Null when there is no engine, or no such container. @throws ScratchUnusable for an engine that does not answer */
async function imageOf(live: string, engine: EngineClient, signal: AbortSignal): Promise<Image | null> {
  try {
    const ended = await engine.ask(args.image(live), signal);
    if (ended.exitCode !== 0) return null;
    const [id = '', name = id] = ended.stdout.trim().split(' ');
    return { id, name: name.replace(/^sha256:/, '').replace(/^([0-9a-f]{12})[0-9a-f]{52}$/, '$1') };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && error.code === 'ToolMissing') return null;
    throw error;
  }
}

/** Recorded by its name first, and marked: a client that outlives this process can be ended before the container is removed. */
async function start(
  image: string,
  place: ScratchPlace,
  local: Host,
  environment: EngineEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { name, folder } = place;
  const engine = engineClient(markedHost(local, name), environment);
  await place.keep({ kind: 'container', name }, async () => {
    for (const words of [args.create(image, name, folder), args.start(name)]) {
      const ended = await engine.ask(words, signal);
      if (ended.exitCode === 0) continue;
      const said = ended.stderrTail.trim().split('\n').slice(0, 2).join(' ').slice(0, 400);
      throw new HoldfastError('ScratchUnusable', `No container of the image can be started: ${said}`, image, {
        hint: `The engine has to see ${folder} under this path: choose such a folder with --scratch DIR`,
      });
    }
  });
}

function insideOf(host: Host, place: ScratchPlace): ScratchPlace {
  const as: ScratchPlace['as'] = (account, command) =>
    account === null
      ? command
      : { ...command, runAs: `${account.uid}:${account.gid}`, workingFolder: command.workingFolder ?? '/' };
  return {
    ...place,
    host,
    as,
    server: as,
    isolated: true,
    async account(names, signal) {
      const options = { signal, accept: ANY_CODE, limitMs: LOOK_LIMIT_MS };
      for (const name of names) {
        const ask = { program: 'sh', args: ['-c', 'id -u "$1" && id -g "$1"', 'sh', name] };
        const { exitCode, stdout } = await host.run(ask, options);
        const [uid, gid] = stdout.split('\n').map(Number);
        if (exitCode === 0 && uid !== undefined && gid !== undefined) return { name, uid, gid };
      }
      const which = names.join(' or ');
      throw new HoldfastError('ScratchUnusable', `The image has no account ${which} for a scratch server.`, which);
    },
  };
}

/** Removes the container of a drill, with all in it; none is no error. It is found by the label that it was made with, so
 *  that no other one is removed. @throws ProcessFailed; ToolMissing without an engine */
export async function removeScratchContainer(
  name: string,
  local: Host,
  environment: EngineEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const cut = await endMarked(name, signal);
  const engine = engineClient(local, environment);
  const deadline = performance.now() + (cut ? LATE_MS : 0);
  for (;;) {
    const listed = await engine.ask(args.labelled(name), signal);
    if (listed.exitCode !== 0) throw engineRefused('The containers could not be listed', name, listed);
    const id = listed.stdout.trim();
    if (id !== '') {
      const removed = await engine.ask(args.remove(id), signal);
      if (removed.exitCode === 0) return;
      if (!/no such container|already in progress/i.test(removed.stderrTail))
        throw engineRefused(`The container ${name} could not be removed`, name, removed);
    } else if (performance.now() >= deadline) return;
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
}
