/** What figures are made of: times in seconds. */
export interface RecoveryFact {
  readonly subject: string;
  readonly seconds: number;
  readonly success: boolean;
}

export interface DrillFact {
  readonly subject: string;
  readonly seconds: number;
}

export interface Figures {
  readonly deployments: { readonly total: number; readonly guarded: number; readonly ratio: number | null };
  readonly recoveries: {
    readonly total: number;
    readonly succeeded: number;
    readonly ratio: number | null;
    readonly meanSeconds: number | null;
    readonly worstSeconds: number | null;
  };
  readonly services: Readonly<
    Record<
      string,
      {
        readonly meanSeconds: number | null;
        readonly worstSeconds: number | null;
        readonly lastDrillSeconds: number | null;
      }
    >
  >;
}

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
const mean = (numbers: readonly number[]): number | null =>
  numbers.length === 0 ? null : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
const worst = (numbers: readonly number[]): number | null => (numbers.length === 0 ? null : Math.max(...numbers));

/** The figures of `history --json` (interface, section 5): counted from records, and null where there are none. Means and
 *  worst times are over the recoveries that succeeded.
 *  @param drills newest first */
export function figuresOf(
  guarded: number,
  unguarded: number,
  recoveries: readonly RecoveryFact[],
  drills: readonly DrillFact[],
): Figures {
  const good = recoveries.filter(({ success }) => success);
  const subjects = [...new Set([...recoveries, ...drills].map(({ subject }) => subject))].toSorted();
  const ofSubject = (subject: string) => {
    const times = good.filter((one) => one.subject === subject).map(({ seconds }) => seconds);
    const lastDrillSeconds = drills.find((one) => one.subject === subject)?.seconds ?? null;
    return { meanSeconds: mean(times), worstSeconds: worst(times), lastDrillSeconds };
  };
  const times = good.map(({ seconds }) => seconds);
  return {
    deployments: { total: guarded + unguarded, guarded, ratio: ratio(guarded, guarded + unguarded) },
    recoveries: {
      total: recoveries.length,
      succeeded: good.length,
      ratio: ratio(good.length, recoveries.length),
      meanSeconds: mean(times),
      worstSeconds: worst(times),
    },
    services: Object.fromEntries(subjects.map((subject) => [subject, ofSubject(subject)])),
  };
}
