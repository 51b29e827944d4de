import {h} from '../../lib/dom.js';
import {icon} from '../icons.js';

/**
 * What this page cannot do where it came over plain http, and how to change that; nothing on HTTPS and localhost.
 * @param {import('../i18n.js').AppI18n} i18n
 * @returns {HTMLElement|null}
 */
export function originCard(i18n) {
  if (globalThis.isSecureContext) return null;
  const steps = [1, 2, 3].map((step) => h('li', {}, i18n.t(`origin.step.${step}`)));
  return h('section', {class: 'card origin'},
    h('h2', {}, icon('alert'), i18n.t('origin.title')),
    h('p', {}, i18n.t('origin.lead')),
    h('p', {}, i18n.t('origin.still')),
    h('details', {},
      h('summary', {}, i18n.t('origin.how')),
      h('ol', {}, steps),
      h('p', {}, i18n.t('origin.docs'))));
}
