import {fill, h} from '../../lib/dom.js';
import {icon} from '../icons.js';
import {details} from './details.js';
import {map} from './map.js';
import {side} from './side.js';
import {verdict} from './verdict.js';
import {why} from './why.js';

/** Both answers to one photo, side by side; drawn anew when the Jetson's comes. */
export function resultView(app, {signal, argument: id}) {
  const {i18n, records, jetson, queue} = app;
  const content = h('div', {class: 'result'});
  const mapped = {on: true, label: null};
  const draw = async () => {
    const record = await records.get(id);
    if (!signal.aborted) fill(content, record ? drawn(app, record, mapped) : h('p', {}, i18n.t('result.gone')));
  };
  records.addEventListener('change', ({detail}) => detail.id === id && draw(), {signal});
  for (const source of [jetson, queue]) source.addEventListener('state', draw, {signal});
  draw();
  return [h('h1', {tabindex: -1}, i18n.t('result.title')), content];
}

function drawn({i18n, records, jetson, workflow}, record, mapped) {
  const {answer} = record.jetson;
  const picture = records.picture(record.id);
  const remove = async () => {
    await workflow.remove(record.id);
    location.hash = 'photo';
  };
  return [
    h('div', {class: 'glance'},
      picture && h('img', {class: 'thumbnail', src: picture, alt: i18n.t('photo.chosen')}),
      verdict(i18n, record, jetson.state)),
    h('div', {class: 'pair'},
      side(i18n, 'phone', phoneSide(record)),
      side(i18n, 'jetson', answer ? jetsonSide(record) : null, pending(record, jetson.state))),
    map(i18n, record, records.input(record.id), mapped),
    answer && why(i18n, answer, record.privacy),
    bars(i18n, record.labels, sidesOf(record)),
    details(i18n, record),
    h('div', {class: 'actions'},
      h('a', {class: 'button primary', href: '#photo'}, i18n.t('result.again')),
      h('button', {class: 'danger', onclick: remove}, i18n.t('result.delete'))),
  ];
}

function phoneSide({labels, phone}) {
  return {...phone, label: labelOf(labels, phone.label), probability: phone.probabilities[phone.label]};
}

function jetsonSide({labels, jetson}) {
  const {label, probabilities, decision} = jetson.answer.server;
  return {...decision, rule: decision?.name ?? null, label: labelOf(labels, label), probability: probabilities[label]};
}

function sidesOf({phone, jetson}) {
  const sides = [{who: 'phone', probabilities: phone.probabilities}];
  return jetson.answer ? [...sides, {who: 'jetson', probabilities: jetson.answer.server.probabilities}] : sides;
}

function labelOf(labels, id) {
  return labels.find((label) => label.id === id) ?? {id, name: id};
}

function pending({jetson}, reach) {
  if (jetson.state !== 'waiting') return undefined;
  return reach === 'reachable' ? h('span', {class: 'spinner'}) : icon('wait');
}

/**
 * The probability of every class on both sides, the likeliest first.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {{id: string, name: string, positive: boolean}[]} labels
 * @param {{who: 'phone'|'jetson', probabilities: Object<string, number>}[]} sides one or two
 * @returns {HTMLElement}
 */
function bars(i18n, labels, sides) {
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
