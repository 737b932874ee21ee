// round_shift(t, shift): t / 2^shift, rounded to an integer; a negative shift is an exact left shift.
//
// ROUNDING: 0 half_even, 1 half_up, 2 half_away, 3 floor, 4 ceil, 5 toward_zero.
// shift lies in -MOST_LEFT .. MOST_RIGHT. Combinational; with a constant shift it is wires and one adder.
module qonnx_round_shift #(
    parameter T_BITS = 32,
    parameter MOST_RIGHT = 31,
    parameter MOST_LEFT = 0,
    parameter ROUNDING = 0,
    // Derived: holds 2^MOST_RIGHT as well as t, then the left shift and a carry.
    parameter Y_BITS = (T_BITS > MOST_RIGHT + 2 ? T_BITS : MOST_RIGHT + 2) + MOST_LEFT + 1
) (
    input signed [T_BITS-1:0] t,
    input signed [6:0] shift,
    output signed [Y_BITS-1:0] y
);
    wire [6:0] right = shift[6] ? 7'd0 : shift;
    wire [6:0] left = shift[6] ? -shift : 7'd0;
    wire signed [Y_BITS-1:0] wide = {{(Y_BITS - T_BITS) {t[T_BITS-1]}}, t};
    wire signed [Y_BITS-1:0] down = wide >>> right;
    wire [Y_BITS-1:0] rest = wide & ~({Y_BITS{1'b1}} << right);  // 0 .. 2^right - 1, of negative t, too
    wire [Y_BITS-1:0] half = ({{(Y_BITS - 1) {1'b0}}, 1'b1} << right) >> 1;
    wire tie = rest == half && right != 0;
    wire above = rest > half;
    wire up = ROUNDING == 0 ? above || (tie && down[0])
            : ROUNDING == 1 ? above || tie
            : ROUNDING == 2 ? above || (tie && !t[T_BITS-1])
            : ROUNDING == 3 ? 1'b0
            : ROUNDING == 4 ? |rest
            : |rest && t[T_BITS-1];
    assign y = (down + $signed({{(Y_BITS - 1) {1'b0}}, up})) <<< left;
endmodule
