/** Draws lines with WebGL2: one buffer, one call, a quadrilateral for each piece. */

import { LINE_WIDTH } from "./lines";
import { DASH, STRIDE, type Strokes } from "./strokes";

// Coverage is computed from the distance to the middle of the line, as Canvas 2D smooths edges.
const VERTEX = `#version 300 es
layout(location = 0) in vec4 ends;
layout(location = 1) in vec3 course;
layout(location = 2) in vec4 colour;
uniform vec2 size;
uniform float reach;
out float across;
out float along;
out vec4 ink;
void main() {
  bool last = gl_VertexID > 1;
  float side = (gl_VertexID & 1) == 1 ? 1.0 : -1.0;
  vec2 place = last ? ends.zw : ends.xy;
  float angle = last ? course.y : course.x;
  place += side * reach * vec2(-sin(angle), cos(angle));
  across = side * reach;
  along = course.z < 0.0 ? -1.0 : course.z + (last ? distance(ends.xy, ends.zw) : 0.0);
  ink = colour;
  gl_Position = vec4(place / size * vec2(2.0, -2.0) + vec2(-1.0, 1.0), 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in float across;
in float along;
in vec4 ink;
uniform float halfWidth;
uniform float pixelRatio;
uniform vec2 dash;
out vec4 pixel;
void main() {
  if (along >= 0.0 && mod(along, dash.x + dash.y) > dash.x) discard;
  float middle = abs(across) * pixelRatio;
  float width = halfWidth * pixelRatio;
  float covered = clamp(width + 0.5 - middle, 0.0, 1.0) - clamp(0.5 - width - middle, 0.0, 1.0);
  float alpha = ink.a * covered;
  pixel = vec4(ink.rgb * alpha, alpha);
}`;

const BYTES = STRIDE * 4;
/** Names of renderers that run on the processor, where each pixel goes through the shader: Canvas 2D is faster. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** A WebGL2 context with the program in it; made again if the context is lost. */
export class GlPainter {
  readonly name: string;
  readonly #gl: WebGL2RenderingContext;
  readonly #program: WebGLProgram;

  /** Raises an error if there is no WebGL2, or none that can be used. */
  constructor(private readonly canvas: OffscreenCanvas) {
    const gl = canvas.getContext("webgl2", { alpha: true, premultipliedAlpha: true, antialias: false });
    if (!gl) throw new Error("there is no WebGL2");
    if (SOFTWARE.test(graphicsName(gl))) throw new Error("WebGL2 has no graphics unit here");
    this.#gl = gl;
    this.#program = link(gl);
    describe(gl);
    this.name = `WebGL2, ${graphicsName(gl)}`;
  }

  /** Draws onto the canvas. Raises an error if the context was lost, or if it runs out of memory. */
  draw(strokes: Strokes, width: number, height: number, pixelRatio: number): void {
    const gl = this.#gl;
    this.canvas.width = Math.round(width * pixelRatio);
    this.canvas.height = Math.round(height * pixelRatio);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.bufferData(gl.ARRAY_BUFFER, strokes.pieces, gl.STREAM_DRAW);
    this.#set(pixelRatio);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, strokes.count);
    if (gl.isContextLost() || gl.getError() !== gl.NO_ERROR) throw new Error("the WebGL2 context is lost");
  }

  #set(pixelRatio: number): void {
    const gl = this.#gl;
    const uniform = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(this.#program, name);
    // The canvas has whole pixels, so it may be a little larger than what was asked for.
    gl.uniform2f(uniform("size"), this.canvas.width / pixelRatio, this.canvas.height / pixelRatio);
    gl.uniform1f(uniform("halfWidth"), LINE_WIDTH / 2);
    gl.uniform1f(uniform("reach"), LINE_WIDTH / 2 + 0.5 / pixelRatio);
    gl.uniform1f(uniform("pixelRatio"), pixelRatio);
    gl.uniform2f(uniform("dash"), ...DASH);
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("the WebGL2 context is lost");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(`the shaders do not link: ${gl.getProgramInfoLog(program) ?? ""}`);
  gl.useProgram(program);
  return program;
}

/** Tells how a piece lies in the buffer, and how colours are put over one another. */
function describe(gl: WebGL2RenderingContext): void {
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  for (const [place, size, type, normalized, offset] of [
    [0, 4, gl.FLOAT, false, 0],
    [1, 3, gl.FLOAT, false, 16],
    [2, 4, gl.UNSIGNED_BYTE, true, 28],
  ] as const) {
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, normalized, BYTES, offset);
    gl.vertexAttribDivisor(place, 1);
  }
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
}

function graphicsName(gl: WebGL2RenderingContext): string {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}
