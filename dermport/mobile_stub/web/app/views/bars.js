import {h} from '../dom.js';

/**
 * The probability of every class on both sides, the likeliest first.
 * @param {import('../words.js').Words} words
 * @param {{id: string, name: string, positive: boolean}[]} labels
 * @param {{who: 'phone'|'jetson', probabilities: Object<string, number>}[]} sides one or two
 * @returns {HTMLElement}
 */
export function bars(words, labels, sides) {
  const most = ({id}) => Math.max(...sides.map(({probabilities}) => probabilities[id]));
  const ordered = [...labels].sort((one, other) => most(other) - most(one));
  const legend = sides.map(({who}) => h('span', {class: `swatch ${who}`}, words.say(`side.${who}`)));
  const counts = words.say('bars.counts');
  const mark = h('span', {class: 'counts', title: counts}, h('span', {class: 'unseen'}, `(${counts})`));
  const name = (label) => [words.label(label), label.positive && mark.cloneNode(true)];
  return h('section', {class: 'card bars'},
    h('h2', {}, words.say('bars.title')),
    h('p', {class: 'legend', 'aria-hidden': 'true'}, legend, h('span', {class: 'swatch counts'}, counts)),
    h('ul', {}, ordered.map((label) => h('li', {}, h('p', {class: 'class-name'}, name(label)),
      sides.map(({who, probabilities}) => bar(words, who, probabilities[label.id]))))));
}

function bar(words, who, share) {
  const filled = h('span', {class: `filled ${who}`});
  filled.style.setProperty('--share', share);
  return h('p', {class: 'bar'}, h('span', {class: 'unseen'}, words.say(`side.${who}`)),
    h('span', {class: 'track', 'aria-hidden': 'true'}, filled), h('span', {class: 'value'}, words.percent(share)));
}
