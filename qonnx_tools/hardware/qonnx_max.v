// The largest code of a window, one a clock; what is not `present`, such as padding, does not count.
module qonnx_max #(
    parameter X_BITS = 8,
    parameter X_SIGNED = 0
) (
    input clk,
    input enable,
    input first,
    input present,
    input [X_BITS-1:0] x,
    output [X_BITS-1:0] y
);
    localparam [X_BITS-1:0] FLIP = X_SIGNED ? {1'b1, {(X_BITS - 1) {1'b0}}} : {X_BITS{1'b0}};

    // Codes from the lowest on, as numbers without a sign.
    reg [X_BITS-1:0] largest;
    wire [X_BITS-1:0] place = present ? x ^ FLIP : {X_BITS{1'b0}};
    assign y = largest ^ FLIP;
    always @(posedge clk) if (enable && (first || place > largest)) largest <= place;
endmodule
