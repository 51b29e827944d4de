/** @file Which language the page speaks. */

import en from '../messages/en.js';
import es from '../messages/es.js';
import fr from '../messages/fr.js';
import {Say} from './say.js';

/** Every language by its tag, with its own name. */
export const LANGUAGES = {en: ['English', en], es: ['Español', es], fr: ['Français', fr]};
const NAME = 'dermport-language';

/**
 * Return the first language of the reader's that is spoken here; English where none is.
 * @param {readonly string[]} wanted BCP 47 tags, the best first.
 * @returns {string}
 */
export function chooseLanguage(wanted) {
  return wanted.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? 'en';
}

/** Return what the reader has chosen on this device, before the browser's languages. @returns {string} */
export function readersLanguage() {
  return chooseLanguage([stored(), ...navigator.languages].filter(Boolean));
}

/** Remember a choice. @param {string} tag */
export function rememberLanguage(tag) {
  try {
    localStorage.setItem(NAME, tag);
  } catch {
    // A browser that stores nothing asks again next time.
  }
}

/**
 * Return who says things in a language.
 * @param {string} tag
 * @param {readonly string[]} [wanted] the reader's languages; their countries decide how dates and numbers are written.
 * @returns {Say}
 */
export function sayIn(tag, wanted = navigator.languages) {
  const local = wanted.find((each) => chooseLanguage([each]) === tag && each.toLowerCase().startsWith(tag));
  return new Say(local ?? tag, LANGUAGES[tag][1]);
}

function stored() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}
