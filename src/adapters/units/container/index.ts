import { unitNameOf } from '../../../domain/unit-reference.ts';
import type { Host } from '../../../ports/host.ts';
import type { Unit, UnitReference } from '../../../ports/unit.ts';
import type { EngineEnvironment } from '../../../process/container-engine.ts';
import { containerEngine } from '../engine/engine.ts';
import { type Container, nameOf, runs, stateOf } from '../engine/parse.ts';

type Reference = Extract<UnitReference, { readonly kind: 'container' }>;

/** One container of the host's engine. */
export function containerUnit(reference: Reference, host: Host, environment: EngineEnvironment): Unit {
  const { container: own } = reference;
  const name = unitNameOf(reference);
  const engine = containerEngine(name, host, environment);
  async function inspect(signal: AbortSignal): Promise<Container> {
    const [found] = await engine.inspect([own], signal);
    if (found === undefined) throw new RangeError('one name was asked for, and none came back without an error');
    return found;
  }
  return {
    name,
    reference,
    state: async (signal) => stateOf(await inspect(signal)),
    async running(signal) {
      const found = await inspect(signal);
      return runs(found) ? [nameOf(found)] : [];
    },
    async stop(signal) {
      const found = await inspect(signal);
      if (runs(found)) await engine.stop(found, signal);
    },
    async start(members, signal) {
      await inspect(signal);
      for (const member of members ?? [own]) await engine.start(member, signal);
    },
    health: async (signal) => engine.health(await inspect(signal)),
    async processes(signal) {
      const found = await inspect(signal);
      return stateOf(found) === 'active' ? engine.processes(own, signal) : [];
    },
    async images(signal) {
      const found = await inspect(signal);
      return { [nameOf(found)]: found.Image };
    },
    async starters(signal) {
      await inspect(signal);
      return [];
    },
  };
}
