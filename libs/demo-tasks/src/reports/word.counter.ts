/** How fast a reader is taken to be. */
export const WORDS_PER_MINUTE = 220;

/** The scripts that write no spaces between words. */
const UNSPACED = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}`;
const LETTERS = String.raw`(?:(?![${UNSPACED}])[\p{L}\p{M}\p{N}_])+`;

/**
 * A character of an unspaced script counts as a word, as word processors count; else a word is a
 * run of letters, marks and digits, which an apostrophe, a dot or a hyphen inside does not end.
 */
const WORD = new RegExp(String.raw`[${UNSPACED}]|${LETTERS}(?:['\u2019.\-]${LETTERS})*`, 'gu');

/** How many words a plain text has. */
export function countWords(text: string): number {
  let words = 0;
  for (const _ of text.matchAll(WORD)) {
    words += 1;
  }
  return words;
}

/** Whole minutes that reading takes, rounded up; 0 only for 0 words. */
export function readingMinutes(words: number): number {
  return Math.ceil(words / WORDS_PER_MINUTE);
}
