import {h} from '../../lib/dom.js';

/**
 * The probability of every class on both sides, the likeliest first.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {{id: string, name: string, positive: boolean}[]} labels
 * @param {{who: 'phone'|'jetson', probabilities: Object<string, number>}[]} sides one or two
 * @returns {HTMLElement}
 */
export function bars(i18n, labels, sides) {
  const most = ({id}) => Math.max(...sides.map(({probabilities}) => probabilities[id]));
  const ordered = [...labels].sort((one, other) => most(other) - most(one));
  const legend = sides.map(({who}) => h('span', {class: `swatch ${who}`}, i18n.t(`side.${who}`)));
  const counts = i18n.t('bars.counts');
  const mark = h('span', {class: 'counts', title: counts}, h('span', {class: 'unseen'}, `(${counts})`));
  const name = (label) => [i18n.label(label), label.positive && mark.cloneNode(true)];
  return h('section', {class: 'card bars'},
    h('h2', {}, i18n.t('bars.title')),
    h('p', {class: 'legend', 'aria-hidden': 'true'}, legend, h('span', {class: 'swatch counts'}, counts)),
    h('ul', {}, ordered.map((label) => h('li', {}, h('p', {class: 'class-name'}, name(label)),
      sides.map(({who, probabilities}) => bar(i18n, who, probabilities[label.id]))))));
}

function bar(i18n, who, share) {
  const filled = h('span', {class: `filled ${who}`});
  filled.style.setProperty('--share', share);
  return h('p', {class: 'bar'}, h('span', {class: 'unseen'}, i18n.t(`side.${who}`)),
    h('span', {class: 'track', 'aria-hidden': 'true'}, filled), h('span', {class: 'value'}, i18n.percent(share)));
}
