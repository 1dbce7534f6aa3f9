/** What an operation tells while it runs. Nothing here changes its outcome; a face draws it, a log prints it. */
export type ProgressEvent =
  | { readonly type: 'step'; readonly subject: string; readonly text: string }
  | { readonly type: 'item-started'; readonly subject: string; readonly totalBytes: number | null }
  | { readonly type: 'item-advanced'; readonly subject: string; readonly bytes: number }
  /** `hint`: what to do about a failure. */
  | {
      readonly type: 'item-finished';
      readonly subject: string;
      readonly outcome: string;
      readonly detail: string;
      readonly hint?: string;
    }
  | { readonly type: 'warning'; readonly subject: string; readonly text: string };

export type Progress = (event: ProgressEvent) => void;
