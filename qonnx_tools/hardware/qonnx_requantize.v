// saturate(round_shift(t, shift)): how every layer on codes ends.
//
// Codes of y are LOWEST .. HIGHEST, inside OUT_BITS bits; without a sign where LOWEST is not negative.
module qonnx_requantize #(
    parameter T_BITS = 32,
    parameter MOST_RIGHT = 31,
    parameter MOST_LEFT = 0,
    parameter ROUNDING = 0,
    parameter OUT_BITS = 8,
    parameter signed [33:0] LOWEST = -34'sd128,
    parameter signed [33:0] HIGHEST = 34'sd127
) (
    input signed [T_BITS-1:0] t,
    input signed [6:0] shift,
    output [OUT_BITS-1:0] y
);
    localparam WIDE = (T_BITS > MOST_RIGHT + 2 ? T_BITS : MOST_RIGHT + 2) + MOST_LEFT + 1;
    localparam COMPARED = WIDE > 34 ? WIDE : 34;

    wire signed [WIDE-1:0] rounded;
    qonnx_round_shift #(
        .T_BITS(T_BITS), .MOST_RIGHT(MOST_RIGHT), .MOST_LEFT(MOST_LEFT), .ROUNDING(ROUNDING)
    ) round (.t(t), .shift(shift), .y(rounded));

    wire signed [COMPARED-1:0] wide = {{(COMPARED - WIDE + 1) {rounded[WIDE-1]}}, rounded[WIDE-2:0]};
    wire signed [COMPARED-1:0] lowest = {{(COMPARED - 33) {LOWEST[33]}}, LOWEST[32:0]};
    wire signed [COMPARED-1:0] highest = {{(COMPARED - 33) {HIGHEST[33]}}, HIGHEST[32:0]};
    wire [COMPARED-1:0] bounded = wide < lowest ? lowest : wide > highest ? highest : wide;
    assign y = bounded[OUT_BITS-1:0];
endmodule
