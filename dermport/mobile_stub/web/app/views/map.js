import {highest, overlay, plain, readDrawing} from '../../engine/activation-map.js';
import {fill, h} from '../../lib/dom.js';

/**
 * What the phone's model looked at, drawn over its input, with a switch, a choice of class, a legend and words.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {object} record
 * @param {Uint8Array|undefined} tensor the model's input; it is kept only while the page is open
 * @param {{on: boolean, label: string|null}} chosen kept while the view is drawn anew
 * @returns {HTMLElement|null} null where the model gives no map, or its input is gone
 */
export function map(i18n, {labels, phone}, tensor, chosen) {
  if (!phone.map || !tensor) return null;
  chosen.label ??= phone.label;
  const side = Math.sqrt(tensor.length / 3);
  const canvas = h('canvas', {width: side, height: side, role: 'img', 'aria-describedby': 'map-words'});
  const said = h('p', {id: 'map-words', role: 'status'});
  const legend = h('p', {class: 'ramp', 'aria-hidden': 'true'});
  const draw = async () => drawn(i18n, {canvas, said, legend}, {labels, phone, tensor, chosen}, await readDrawing());
  draw();
  return h('section', {class: 'card map'},
    h('h2', {}, i18n.t('map.title')),
    h('div', {class: 'field-row'}, toggle(i18n, chosen, draw), choice(i18n, labels, chosen, draw)),
    h('figure', {}, canvas, h('figcaption', {}, legend, said)),
    h('p', {class: 'quiet'}, i18n.t('map.meaning')));
}

function toggle(i18n, chosen, draw) {
  const change = ({target}) => {
    chosen.on = target.checked;
    draw();
  };
  return h('label', {class: 'switch'},
    h('input', {type: 'checkbox', role: 'switch', id: 'map-on', checked: chosen.on, onchange: change}),
    i18n.t('map.show'));
}

function choice(i18n, labels, chosen, draw) {
  const change = ({target}) => {
    chosen.label = target.value;
    draw();
  };
  const options = labels.map((label) =>
    h('option', {value: label.id, selected: label.id === chosen.label}, i18n.label(label)));
  return h('label', {}, h('span', {class: 'unseen'}, i18n.t('map.class')),
    h('select', {id: 'map-label', 'aria-label': i18n.t('map.class'), onchange: change}, options));
}

function drawn(i18n, {canvas, said, legend}, {labels, phone, tensor, chosen}, drawing) {
  const {shape, values: {[chosen.label]: values}} = phone.map;
  const pixels = chosen.on ? overlay(tensor, values, shape, drawing) : plain(tensor);
  canvas.getContext('2d').putImageData(new ImageData(pixels, canvas.width), 0, 0);
  const label = i18n.label(labels.find(({id}) => id === chosen.label));
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => i18n.signed(value));
  const place = i18n.t(`map.place.${highest(values, shape, drawing.shift)}`);
  canvas.setAttribute('aria-label', i18n.t(chosen.on ? 'map.picture' : 'map.input', {label}));
  fill(said, i18n.t('map.words', {label, place, low, high}));
  const ramp = h('i', {});
  ramp.style.setProperty('--ramp', drawing.colours.map((colour) => `rgb(${colour})`).join(', '));
  fill(legend, h('span', {}, low), ramp, h('span', {}, high));
  legend.hidden = !chosen.on;
}
