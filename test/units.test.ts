import type { Images } from '../src/ports/unit.ts';
import { type UnitFixture, unitContract } from './contracts/unit.ts';
import { memoryUnit } from './fakes/unit.ts';

async function memoryFixture(): Promise<UnitFixture> {
  const unit = memoryUnit({ members: { web: true, database: true, backup: false } });
  const imageOf = (identity: string, member: string) => ({ identity, reference: 'app:latest', member });
  unit.imagesNow = { database: imageOf('sha256:old', 'database'), web: imageOf('sha256:old', 'web') };
  const used = (): readonly Images[] => [unit.imagesNow, ...unit.kept.values()];
  unit.processesNow = [4711];
  const reference = { kind: 'container', host: 'local', container: 'nobody' } as const;
  return {
    unit,
    ...{
      up: ['database', 'web'],
      down: ['backup'],
      missing: memoryUnit({ reference, missing: true }),
      health: 'healthy',
    },
    images: {
      change: async () => {
        unit.imagesNow = { database: imageOf('sha256:new', 'database'), web: imageOf('sha256:new', 'web') };
      },
      prune: async () => {},
      has: async (identity) => used().some((all) => Object.values(all).some((one) => one.identity === identity)),
      anew: true,
    },
    seen: async () => [...unit.members].flatMap(([member, runs]) => (runs ? [member] : [])).toSorted(),
    [Symbol.asyncDispose]: async () => {},
  };
}

unitContract('in memory', memoryFixture);
