/** As the tables have it: sorts as text, and reads back the same to the nanosecond. */
export const printInstant = (instant: Temporal.Instant): string => instant.toString({ fractionalSecondDigits: 9 });

export const parseInstant = (text: string): Temporal.Instant => Temporal.Instant.from(text);
