import { type UnitFixture, unitContract } from './contracts/unit.ts';
import { memoryUnit } from './fakes/unit.ts';

async function memoryFixture(): Promise<UnitFixture> {
  const unit = memoryUnit({ members: { web: true, database: true, backup: false } });
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
    seen: async () => [...unit.members].flatMap(([member, runs]) => (runs ? [member] : [])).toSorted(),
    [Symbol.asyncDispose]: async () => {},
  };
}

unitContract('in memory', memoryFixture);
